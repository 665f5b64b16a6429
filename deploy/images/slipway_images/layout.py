"""Reading the OCI image layout that holds what was built: manifests, layers, archives.

An archive may leave out the blobs that its receiver has already: that is what makes loading a
changed engine a matter of seconds. Knows files only; neither buildah nor containerd.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import LayoutError

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
# tarfile's own 16 KiB would make 300,000 reads of an engine.
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One built image; ``layers`` are ``(digest, bytes)`` from the base upward."""

    reference: str
    descriptor: dict[str, Any]
    config: str
    layers: tuple[tuple[str, int], ...]

    @property
    def digest(self) -> str:
        """``sha256:…`` of the manifest itself."""
        return str(self.descriptor["digest"])

    @property
    def blobs(self) -> tuple[str, ...]:
        """Digests of everything an archive of it holds."""
        return (self.digest, self.config, *dict.fromkeys(digest for digest, _ in self.layers))

    @property
    def size(self) -> int:
        """Bytes of its layers, uncompressed."""
        return sum(size for _, size in self.layers)


class Layout:
    """``oci-layout``, ``index.json`` and ``blobs/sha256`` below ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def manifest(self, reference: str) -> Manifest | None:
        """None when no such image was built."""
        found = [entry for entry in self._entries() if _name(entry) == reference]
        return self._read(found[-1]) if found else None

    def require(self, reference: str) -> Manifest:
        """As ``manifest``; raises LayoutError with the command that builds it."""
        manifest = self.manifest(reference)
        if manifest is None:
            raise LayoutError(f"{reference} is not built; run `python3 deploy/images build` first")
        return manifest

    def prune(self) -> int:
        """Delete blobs that no name leads to; the number of bytes freed."""
        entries = {_name(entry): entry for entry in self._entries()}
        kept = {digest for entry in entries.values() for digest in self._read(entry).blobs}
        freed = 0
        for blob in (self._path / "blobs" / "sha256").glob("*"):
            if f"sha256:{blob.name}" not in kept:
                freed += blob.stat().st_size
                blob.unlink()
        return freed

    def write_archive(
        self, manifest: Manifest, sink: IO[bytes], *, without: Collection[str] = ()
    ) -> int:
        """An OCI archive of ``manifest`` to ``sink``, less ``without``; bytes of its blobs."""
        annotations = {REF_NAME: manifest.reference, CONTAINERD_NAME: manifest.reference}
        index = {
            "schemaVersion": 2,
            "manifests": [{**manifest.descriptor, "annotations": annotations}],
        }
        written = 0
        with tarfile.open(fileobj=sink, mode="w|", bufsize=CHUNK) as archive:
            archive.copybufsize = CHUNK  # type: ignore[attr-defined]  # typeshed lacks it
            _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            _add(archive, "index.json", json.dumps(index).encode())
            for digest in manifest.blobs:
                if digest not in without:
                    archive.add(self._blob(digest), f"blobs/{digest.replace(':', '/')}")
                    written += self._blob(digest).stat().st_size
        return written

    def _entries(self) -> list[dict[str, Any]]:
        path = self._path / "index.json"
        return list(json.loads(path.read_bytes())["manifests"]) if path.exists() else []

    def _read(self, entry: dict[str, Any]) -> Manifest:
        body = json.loads(self._blob(entry["digest"]).read_bytes())
        return Manifest(
            reference=_name(entry),
            descriptor={key: entry[key] for key in ("mediaType", "digest", "size")},
            config=body["config"]["digest"],
            layers=tuple((layer["digest"], layer["size"]) for layer in body["layers"]),
        )

    def _blob(self, digest: str) -> Path:
        path = self._path / "blobs" / digest.replace(":", "/")
        if not path.exists():
            raise LayoutError(
                f"{digest} is missing in {self._path}: delete that folder, build again"
            )
        return path


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("annotations", {}).get(REF_NAME, ""))


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, io.BytesIO(body))
