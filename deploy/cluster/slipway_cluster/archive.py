"""OCI image archives: writes one of a single static binary, reads the names in one.

A scratch image is a tar of a tar and three JSON documents, so nothing but the standard library is
needed to make the cluster's own images. Equal input gives equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ClusterError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "org.opencontainers.image.ref.name"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An image in an archive."""

    name: str
    digest: str


def write(target: Path, *, name: str, binary: Path, path: str, user: str) -> None:
    """An archive of an image called ``name`` that runs ``binary``, put at ``path`` in it."""
    layer = _tar({path.lstrip("/"): binary.read_bytes()}, mode=0o755)
    config = _json(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": [path], "User": user},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _described(config, CONFIG),
            "layers": [_described(layer, LAYER)],
        }
    )
    index = {**_described(manifest, MANIFEST), "annotations": {NAME: name}}
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [index]}),
        **{f"blobs/sha256/{digest(blob)[7:]}": blob for blob in (config, manifest, layer)},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(_tar(files, mode=0o644))
    partial.rename(target)


def names(path: Path) -> list[Named]:
    """Named images of an OCI archive; empty where it is of another format."""
    try:
        with tarfile.open(path) as archive:
            index = _member(archive, "index.json")
    except (OSError, tarfile.TarError, ValueError) as broken:
        raise ClusterError(f"{path} is not an image archive: {broken}") from broken
    found = index.get("manifests", []) if index else []
    return [
        Named(name=str(name), digest=str(entry["digest"]))
        for entry in found
        if (name := entry.get("annotations", {}).get(NAME))
    ]


def digest(content: bytes) -> str:
    """As OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _member(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    for entry in archive:
        if entry.name.removeprefix("./") == name and (content := archive.extractfile(entry)):
            found: dict[str, Any] = json.load(content)
            return found
    return {}


def _described(blob: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(blob), "size": len(blob)}


def _json(body: object) -> bytes:
    return json.dumps(body, sort_keys=True).encode()


def _tar(files: Mapping[str, bytes], *, mode: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()
