"""Reading built images straight out of buildah's storage: manifests, and layers as tar streams.

``buildah push`` would compress 5 GB and write them a second time. The storage keeps each layer as
files plus a "tar-split" record of everything else in its tar, from which the very bytes that the
manifest names are put together again. Knows buildah's storage; nothing of who reads the archive.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .buildah import Buildah
from .errors import StoreError

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One built image; ``body`` and ``config`` are JSON, ``layers`` are from the base upward."""

    reference: str
    body: bytes
    config: bytes
    layers: tuple[tuple[str, int], ...]

    @property
    def digest(self) -> str:
        """``sha256:…`` of the manifest itself."""
        return _digest(self.body)

    @property
    def index(self) -> bytes:
        """An archive's table of contents: this image under its name."""
        entry = {
            "mediaType": json.loads(self.body)["mediaType"],
            "digest": self.digest,
            "size": len(self.body),
            "annotations": {REF_NAME: self.reference, CONTAINERD_NAME: self.reference},
        }
        return json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()


class Store:
    """The images in buildah's storage at ``path``."""

    def __init__(self, buildah: Buildah, path: Path) -> None:
        self._buildah = buildah
        self._path = path

    def manifest(self, reference: str) -> Manifest:
        """Raises StoreError with the command that builds it."""
        if not self._buildah.image_id(reference):
            raise StoreError(f"{reference} is not built; run `python3 deploy/images build` first")
        found = json.loads(self._buildah.call("inspect", "--type=image", reference))
        body = found["Manifest"].encode()
        layers = json.loads(body)["layers"]
        return Manifest(
            reference=reference,
            body=body,
            config=found["Config"].encode(),
            layers=tuple((layer["digest"], layer["size"]) for layer in layers),
        )

    def write_archive(
        self, manifest: Manifest, sink: IO[bytes], *, without: Collection[str] = ()
    ) -> int:
        """An OCI archive of ``manifest``, less the blobs ``without``; bytes of its layers."""
        small = {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": manifest.index,
            _blob_name(manifest.digest): manifest.body,
            _blob_name(_digest(manifest.config)): manifest.config,
        }
        for name, body in small.items():
            _write_member(sink, name, len(body), iter([body]))
        written = 0
        for digest, size in dict.fromkeys(manifest.layers):
            if digest not in without:
                _write_member(sink, _blob_name(digest), size, self.layer(digest))
                written += size
        sink.write(bytes(2 * tarfile.BLOCKSIZE))
        return written

    def layer(self, digest: str) -> Iterator[bytes]:
        """The layer's tar in chunks. Raises StoreError at the end where it is not ``digest``."""
        found = self._layers().get(digest)
        if found is None:
            raise StoreError(f"layer {digest} is not in {self._path}; delete that folder and build")
        split = self._path / "overlay-layers" / f"{found}.tar-split.gz"
        seen = hashlib.sha256()
        for chunk in _assembled(split, self._path / "overlay" / found / "diff"):
            seen.update(chunk)
            yield chunk
        if f"sha256:{seen.hexdigest()}" != digest:
            raise StoreError(
                f"layer {digest} changed in {self._path}; delete that folder and build"
            )

    def _layers(self) -> dict[str, str]:
        entries = json.loads((self._path / "overlay-layers" / "layers.json").read_bytes())
        return {entry["diff-digest"]: entry["id"] for entry in entries if "diff-digest" in entry}


def _assembled(split: Path, folder: Path) -> Iterator[bytes]:
    """Headers and padding are in the record, the content of files is in ``folder``."""
    with gzip.open(split) as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["type"] == 2:
                yield base64.b64decode(entry["payload"])
            elif entry.get("size"):
                raw = entry.get("name_raw")
                name = base64.b64decode(raw).decode(errors="surrogateescape") if raw else ""
                with (folder / (name or entry["name"]).lstrip("/")).open("rb") as file:
                    while chunk := file.read(CHUNK):
                        yield chunk


def _write_member(sink: IO[bytes], name: str, size: int, chunks: Iterator[bytes]) -> None:
    header = tarfile.TarInfo(name)
    header.size = size
    sink.write(header.tobuf(tarfile.GNU_FORMAT))
    for chunk in chunks:
        sink.write(chunk)
    sink.write(bytes(-size % tarfile.BLOCKSIZE))


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
