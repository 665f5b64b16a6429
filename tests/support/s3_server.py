"""A real S3 server: MinIO as this repository's tool table builds it, with buckets and wrong bytes.

A process of its own on a free port of the loopback; ends with the context.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of

HOST = "127.0.0.1"
PATIENCE_SECONDS = 120


def minio() -> Path:
    """The binary; it is there after ``python3 deploy/cluster tools minio``."""
    return path_of(folders(), "minio")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """``url`` without a slash at its end; the keys are the administrator's."""

    url: str
    key: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it; the machine's own CA bundle is none of its business."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
            "AWS_CA_BUNDLE": "",
        }

    def bucket(self, name: str) -> str:
        """Make a bucket; returns its URI."""
        url = obstore.sign(self._store(name), "PUT", "", timedelta(minutes=5))
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"")):
            return f"s3://{name}"

    def read(self, bucket: str, key: str) -> bytes:
        return bytes(obstore.get(self._store(bucket), key).bytes())

    def write(self, bucket: str, key: str, content: bytes) -> None:
        obstore.put(self._store(bucket), key, content)

    def delete(self, bucket: str, key: str) -> None:
        obstore.delete(self._store(bucket), key)

    def keys(self, bucket: str) -> set[str]:
        batches = obstore.list(self._store(bucket))
        return {meta["path"] for batch in batches for meta in batch}

    def change_a_byte(self, bucket: str, key: str) -> None:
        """The last byte of an object becomes another."""
        raw = bytearray(self.read(bucket, key))
        raw[-1] ^= 1
        self.write(bucket, key, bytes(raw))

    def upload(self, bucket: str, folder: Path, prefix: str) -> None:
        """A folder as it is."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.write(
                    bucket, f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes()
                )

    def _store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.url,
            region="us-east-1",
            access_key_id=self.key,
            secret_access_key=self.secret,
            client_options={"allow_http": True},
        )


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A running server whose data is in ``folder``."""
    server = S3Server(
        url=f"http://{HOST}:{_free_port()}", key="slipway", secret=secrets.token_hex(16)
    )
    credentials = {"MINIO_ROOT_USER": server.key, "MINIO_ROOT_PASSWORD": server.secret}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [minio(), "server", "--quiet", "--address", server.url[7:], str(folder / "data")],
            env={**os.environ, **credentials, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"},
            stdout=log,
            stderr=log,
        )
    try:
        _wait(server.url, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/minio/health/ready"):
                return
        except urllib.error.HTTPError:
            return  # it speaks
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the S3 server does not answer: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
