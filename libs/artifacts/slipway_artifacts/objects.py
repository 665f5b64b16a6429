"""Objects below one address: read, write, list; every failure in the words of ``errors``.

The client (obstore) retries by itself what a store answers with 5xx or not at all. Large objects
travel in ranges and parts of some MiB, so that a retry repeats little. Knows no manifest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from slipway_artifacts.access import Access
from slipway_artifacts.address import Address
from slipway_artifacts.errors import Denied, Missing, StoreError, Unreachable

if TYPE_CHECKING:
    from obstore.store import ClientConfig

RANGE_BYTES = 32 << 20
PART_BYTES = 16 << 20
# S3 allows 10,000 parts an upload; the room left is for rounding.
MOST_PARTS = 9_000
STREAMS = 4
# So long may one range or part take: 32 MiB at 0.3 MiB/s.
REQUEST_TIMEOUT = timedelta(seconds=120)
CONNECT_TIMEOUT = timedelta(seconds=5)
# Stored with every object that we write: what is there need not be sent again.
SHA256 = "slipway-sha256"


class Objects:
    """What lies below ``address``; names are relative to it. Raises StoreError."""

    def __init__(self, address: Address, access: Access) -> None:
        self.address = address
        self._access = access
        if not access.identified:
            raise Denied(
                f"{address.uri()} cannot be opened: there are no credentials; set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (in the chart: "
                "artifacts.s3.existingSecret)"
            )
        self._store = S3Store(
            address.bucket,
            endpoint=access.endpoint or None,
            region=access.region,
            client_options=_client_options(access),
            retry_config={
                "max_retries": 20,
                "retry_timeout": access.patience,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=200),
                    "max_backoff": timedelta(seconds=5),
                },
            },
        )

    def read(self, name: str, *, limit: int) -> bytes:
        """A small object whole. Raises StoreError when it has more than ``limit`` bytes."""
        with self._named(name):
            found = obstore.get(self._store, self.address.key(name))
            if found.meta["size"] > limit:
                raise StoreError(f"{self.address.uri(name)} has more than {limit} bytes; refused")
            return bytes(found.bytes())

    def size(self, name: str) -> int:
        """Bytes of an object."""
        with self._named(name):
            return obstore.head(self._store, self.address.key(name))["size"]

    def holds(self, name: str, *, size: int, sha256: str) -> bool:
        """Whether an object of that content was written there by us."""
        try:
            with self._named(name):
                key = self.address.key(name)
                found = obstore.get(self._store, key, options={"head": True})
        except Missing:
            return False
        return found.meta["size"] == size and found.attributes.get(SHA256) == sha256

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        try:
            self.size(name)
        except Missing:
            return False
        return True

    def download(self, name: str, target: Path, *, size: int) -> None:
        """The first ``size`` bytes of an object into a new file."""
        starts = range(0, size, RANGE_BYTES)
        with target.open("xb") as file, ThreadPoolExecutor(STREAMS) as streams:
            file.truncate(size)
            copies = [
                streams.submit(self._copy_range, name, file.fileno(), start, size)
                for start in starts
            ]
            for copy in copies:
                copy.result()

    def upload(self, name: str, source: Path, *, sha256: str) -> None:
        """A file, in parts where it is large; it is there whole or not at all."""
        part = max(PART_BYTES, -(-source.stat().st_size // MOST_PARTS))
        with self._named(name):
            obstore.put(
                self._store,
                self.address.key(name),
                source,
                attributes={SHA256: sha256},
                chunk_size=part,
                max_concurrency=STREAMS,
            )

    def write(self, name: str, content: bytes) -> None:
        """A small object."""
        with self._named(name):
            obstore.put(self._store, self.address.key(name), content, use_multipart=False)

    def delete(self, name: str) -> None:
        """Take an object away; none there is fine."""
        with self._named(name):
            obstore.delete(self._store, self.address.key(name))

    def names(self, *, most: int) -> dict[str, int]:
        """Name → bytes of everything below the address. Raises StoreError beyond ``most``."""
        found: dict[str, int] = {}
        prefix = self.address.prefix
        with self._named(""):
            for batch in obstore.list(self._store, prefix or None):
                for meta in batch:
                    name = meta["path"].removeprefix(prefix).lstrip("/")
                    found[name] = meta["size"]
                if len(found) > most:
                    raise StoreError(
                        f"{self.address.uri()} holds more than {most} objects; name the folder of "
                        "one model"
                    )
        return found

    def _copy_range(self, name: str, file: int, start: int, size: int) -> None:
        length = min(RANGE_BYTES, size - start)
        with self._named(name):
            raw = obstore.get_range(self._store, self.address.key(name), start=start, length=length)
        os.pwrite(file, raw, start)

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """Translates what the client raises; every message names the object."""
        uri = self.address.uri(name)
        try:
            yield
        except FileNotFoundError as error:
            raise Missing(f"{uri} is not there: {self._missing(error)}") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise Denied(
                f"{uri} is not for us: {self._access.where} refuses the credentials or their "
                f"rights ({_first(error)}); correct the Secret or the bucket's policy"
            ) from error
        except BaseError as error:
            raise Unreachable(
                f"{uri} cannot be reached at {self._access.where} ({_first(error)}); check the "
                "endpoint, the region and the NetworkPolicy, then start again"
            ) from error

    def _missing(self, error: FileNotFoundError) -> str:
        if "NoSuchBucket" in str(error):
            return f"{self._access.where} has no bucket {self.address.bucket}; make it"
        return f"nothing at {self._access.where} has that key; correct the uri"


def _client_options(access: Access) -> ClientConfig:
    options: ClientConfig = {
        "allow_http": access.endpoint.startswith("http://"),
        "timeout": REQUEST_TIMEOUT,
        "connect_timeout": CONNECT_TIMEOUT,
        "user_agent": "slipway",
    }
    if access.ca_bundle is not None:
        try:
            options["root_certificate"] = access.ca_bundle.read_bytes()
        except OSError as error:
            raise Denied(
                f"AWS_CA_BUNDLE {access.ca_bundle} cannot be read ({error.strerror}); correct "
                "artifacts.s3.caSecret"
            ) from error
    return options


def _first(error: Exception) -> str:
    """One line of the client's message, which repeats itself over several."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
