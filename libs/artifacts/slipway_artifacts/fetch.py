"""An artifact from the store onto this machine: by digest, whole, verified before anybody sees it.

The manifest comes first and is held against the digest, so that nothing else of a wrong artifact is
ever read. A cached folder is hashed again each time; one that the disk damaged is fetched anew.
Several processes may ask for the same artifact at once: one fetches, the others wait.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway_artifacts.access import Access
from slipway_artifacts.address import parse_address
from slipway_artifacts.errors import NoRoom
from slipway_artifacts.objects import Objects
from slipway_contracts.artifact import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    ArtifactFile,
    ArtifactRef,
    ArtifactRefused,
    DigestMismatch,
    Manifest,
    check_name,
    check_pinned,
    verify_artifact,
)

WEIGHTS = ".safetensors"
Check = Callable[[Path, str], Manifest]


def folder_in(cache: Path, digest: str) -> Path:
    """Where ``obtain`` puts the artifact: the same on every machine with the same ``cache``."""
    return cache / digest.replace(":", "-")


def obtain(ref: ArtifactRef, cache: Path, access: Access) -> tuple[Path, Manifest]:
    """Folder and manifest of ``ref``, every byte checked.

    Raises StoreError, or ArtifactRefused (DigestMismatch for a changed byte) that names the URI.
    """
    return _cached(ref, folder_in(cache, ref.digest), access, verify_artifact)


def obtain_outline(ref: ArtifactRef, cache: Path, access: Access) -> tuple[Path, Manifest]:
    """As ``obtain`` without the weights, whose sizes alone are checked.

    For who must know the model's shape but holds no copy: the head of a cluster whose workers do.
    """
    folder = folder_in(cache, ref.digest)
    outline = folder.with_name(f"{folder.name}.outline")
    return _cached(ref, outline, access, _verify_outline, weights=False)


def read_manifest(uri: str, access: Access, *, digest: str | None = None) -> tuple[str, Manifest]:
    """Digest and manifest of what lies at ``uri``; Missing where no artifact is complete there."""
    raw = _manifest_bytes(Objects(parse_address(uri), access), digest)
    return _digest_of(raw), _parsed(raw, uri)


def _cached(
    ref: ArtifactRef, folder: Path, access: Access, check: Check, *, weights: bool = True
) -> tuple[Path, Manifest]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if folder.is_dir():
            try:
                return folder, check(folder, ref.digest)
            except ArtifactRefused:
                shutil.rmtree(folder)
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            _download(ref, partial, access, weights=weights)
            manifest = check(partial, ref.digest)
        except ArtifactRefused as error:
            # In the words of who reads it: the folder is gone, the address is what they know.
            said = str(error).replace(str(partial), ref.uri)
            raise type(error)(said) from error
        else:
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder, manifest


def _download(ref: ArtifactRef, folder: Path, access: Access, *, weights: bool) -> None:
    objects = Objects(parse_address(ref.uri), access)
    raw = _manifest_bytes(objects, ref.digest)
    manifest = _parsed(raw, ref.uri)
    for entry in manifest.files:
        check_name(entry.path)
        found = objects.size(entry.path)
        if found != entry.size:
            uri = objects.address.uri(entry.path)
            raise DigestMismatch(f"{uri} has {found} bytes, its manifest says {entry.size}")
    wanted = [entry for entry in manifest.files if weights or not _is_weights(entry)]
    _check_room(folder, sum(entry.size for entry in wanted), ref.uri)
    for entry in wanted:
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        objects.download(entry.path, target, size=entry.size)
    (folder / MANIFEST_NAME).write_bytes(raw)


def _verify_outline(folder: Path, digest: str) -> Manifest:
    raw = (folder / MANIFEST_NAME).read_bytes()
    if _digest_of(raw) != digest:
        raise DigestMismatch(f"manifest of {folder} has digest {_digest_of(raw)}")
    manifest = _parsed(raw, str(folder))
    for entry in manifest.files:
        if not _is_weights(entry):
            check_pinned(folder, entry)
    return manifest


def _manifest_bytes(objects: Objects, digest: str | None) -> bytes:
    raw = objects.read(MANIFEST_NAME, limit=MAX_MANIFEST_BYTES)
    if digest is not None and _digest_of(raw) != digest:
        raise DigestMismatch(
            f"manifest of {objects.address.uri()} has digest {_digest_of(raw)}, expected {digest}"
        )
    return raw


def _parsed(raw: bytes, where: str) -> Manifest:
    try:
        return Manifest.model_validate_json(raw)
    except ValueError as error:
        raise ArtifactRefused(f"manifest of {where} is not valid: {error}") from error


def _digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def _is_weights(entry: ArtifactFile) -> bool:
    return entry.path.endswith(WEIGHTS)


def _check_room(folder: Path, needed: int, uri: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise NoRoom(
            f"{uri} needs {needed} bytes and the disk under {folder} has {free}; give the node or "
            "the volume more room"
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
