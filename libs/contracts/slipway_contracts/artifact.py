"""The artifact manifest: what a folder of model files holds, and where it came from.

Written last and atomically beside the files; the digest of an artifact is the digest of its
manifest, so one hash pins every byte. Nothing serves without one. ``verify_artifact`` is the one
rule of what a folder may hold; training applies it before it publishes, the engine before it loads.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field

from slipway_contracts.base import Digest, ShortText, Spec

MANIFEST_NAME = "manifest.json"

ArtifactKind = Literal["text-generation", "embedding", "image-classification", "lora-adapter"]


class ArtifactFile(Spec):
    """One file of the artifact; ``path`` is relative and stays inside the folder."""

    path: ShortText
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Lineage(Spec):
    """Where the weights came from."""

    parent: str | None = None
    base: str | None = None
    dataset_digest: str | None = None
    config_digest: str | None = None
    code_revision: str | None = None
    seed: int | None = None


class Manifest(Spec):
    """The artifact's own description. ``metrics`` are the run's last figures, by name."""

    schema_version: Literal[1] = 1
    kind: ArtifactKind
    architecture: ShortText
    files: tuple[ArtifactFile, ...]
    metrics: dict[str, float] = Field(default_factory=dict)
    lineage: Lineage = Field(default_factory=Lineage)
    created_at: str

    def canonical(self) -> bytes:
        """The bytes that are written to disk and hashed."""
        return json.dumps(self.wire(), sort_keys=True, ensure_ascii=False, indent=1).encode()

    def digest(self) -> str:
        """``sha256:…`` over ``canonical()``."""
        return "sha256:" + hashlib.sha256(self.canonical()).hexdigest()


class ArtifactRef(Spec):
    """A pointer to one exact artifact. ``uri`` is ``file://``, ``s3://`` or ``hf://``."""

    uri: str
    """Where the files are."""
    digest: Digest
    """Digest of the manifest, and so of every byte."""


# Weights and tables only: nothing that a loader would execute or unpickle.
ALLOWED_SUFFIXES = frozenset({".safetensors", ".json", ".model"})
ALLOWED_NAMES = frozenset({"merges.txt", "vocab.txt"})
MAX_MANIFEST_BYTES = 8 << 20
# transformers' largest released checkpoints have headers below 1 MiB; the header is parsed in RAM.
MAX_SAFETENSORS_HEADER = 16 << 20
MAX_CONFIG_BYTES = 4 << 20
_SAFE_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*")
# Keys by which transformers and peft import code that is named in a configuration file.
_CODE_KEYS = frozenset({"auto_map", "auto_mapping", "custom_pipelines", "trust_remote_code"})


class ArtifactRefused(ValueError):
    """The folder is not the artifact that the digest names, or holds what may not be served."""


class DigestMismatch(ArtifactRefused):
    """Some byte is not what the digest pins: damaged, changed, or another artifact."""


def verify_artifact(folder: Path | str, digest: str) -> Manifest:
    """Re-hash every byte of ``folder`` and return its manifest.

    Raises ArtifactRefused when the manifest's digest is not ``digest``, a file is missing, extra,
    changed, a link, of a type that is not listed, or when a configuration asks for custom code.
    """
    root = Path(folder)
    if root.is_symlink() or not root.is_dir():
        raise ArtifactRefused(f"artifact {root} is not a folder; check the uri")
    raw = _read_bounded(root / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    found = "sha256:" + hashlib.sha256(raw).hexdigest()
    if found != digest:
        raise DigestMismatch(f"manifest of {root} has digest {found}, expected {digest}")
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValueError as error:
        raise ArtifactRefused(f"manifest of {root} is not valid: {error}") from error
    listed = {entry.path: entry for entry in manifest.files}
    present = set(folder_files(root)) - {MANIFEST_NAME}
    if len(listed) != len(manifest.files) or present != set(listed):
        differing = ", ".join(sorted(present ^ set(listed))[:5]) or "a path twice"
        raise ArtifactRefused(f"manifest and files of {root} differ: {differing}")
    for entry in manifest.files:
        check_pinned(root, entry)
    return manifest


def check_pinned(root: Path, entry: ArtifactFile) -> None:
    """Refuse a file that is not the one listed, or that may not be part of an artifact.

    Its bytes come first: what a changed byte makes of a file is not worth a word.
    """
    check_name(entry.path)
    if hash_file(root / entry.path) != (entry.size, entry.sha256):
        raise DigestMismatch(f"{entry.path} in {root} changed: size or sha256 differ")
    check_file(root, entry.path)


def folder_files(root: Path) -> Iterator[str]:
    """Relative POSIX paths of the regular files under ``root``; links and devices are refused."""
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            path = Path(directory, name)
            mode = path.lstat().st_mode
            relative = path.relative_to(root).as_posix()
            if stat.S_ISREG(mode):
                yield relative
            elif not stat.S_ISDIR(mode):
                raise ArtifactRefused(f"{relative} is a link or a device; only plain files serve")


def check_name(relative: str) -> None:
    """Refuse a path or a file type that may not be part of an artifact; nothing need be there."""
    name = PurePosixPath(relative)
    if not _SAFE_PATH.fullmatch(relative):
        raise ArtifactRefused(f"{relative!r} is not a plain path inside the artifact")
    if name.suffix not in ALLOWED_SUFFIXES and name.name not in ALLOWED_NAMES:
        allowed = ", ".join(sorted(ALLOWED_SUFFIXES | ALLOWED_NAMES))
        raise ArtifactRefused(f"{relative} is not a file type that may be served ({allowed})")


def check_file(root: Path, relative: str) -> None:
    """Refuse a path, a file type or a content that may not be part of an artifact."""
    check_name(relative)
    path = root / relative
    if path.suffix == ".safetensors":
        _check_safetensors(path, relative)
    elif path.name.endswith("config.json"):
        _check_config(path, relative)


def hash_file(path: Path) -> tuple[int, str]:
    """Size in bytes and sha256 of a plain file; a link is refused."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb", opener=_no_follow) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _no_follow(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _read_bounded(path: Path, limit: int) -> bytes:
    try:
        with open(path, "rb", opener=_no_follow) as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        raise ArtifactRefused(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > limit:
        raise ArtifactRefused(f"{path} is larger than {limit} bytes")
    return raw


def _check_safetensors(path: Path, relative: str) -> None:
    size = path.lstat().st_size
    with open(path, "rb", opener=_no_follow) as stream:
        length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > MAX_SAFETENSORS_HEADER or length > size - 8:
        raise ArtifactRefused(f"{relative} has a safetensors header of {length} bytes: refused")


def _check_config(path: Path, relative: str) -> None:
    try:
        content = json.loads(_read_bounded(path, MAX_CONFIG_BYTES))
    except (ValueError, RecursionError) as error:
        raise ArtifactRefused(f"{relative} is not JSON: {type(error).__name__}") from error
    found = sorted(set(_code_keys(content)))
    if found:
        raise ArtifactRefused(f"{relative} asks for custom code ({', '.join(found)}): refused")


def _code_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (key for key, inner in value.items() if key in _CODE_KEYS and inner)
        for inner in value.values():
            yield from _code_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _code_keys(inner)
