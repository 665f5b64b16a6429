"""Artifacts on disk: publish one atomically, open one by digest, wherever it is.

Publishing writes the files into a temporary sibling, checks them by the rule that the engine will
apply, writes the manifest last and renames: ``artifact_dir`` exists complete or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from slipway_artifacts.access import read_access
from slipway_artifacts.address import is_object_store
from slipway_artifacts.fetch import obtain
from slipway_contracts.artifact import (
    MANIFEST_NAME,
    ArtifactFile,
    ArtifactKind,
    ArtifactRef,
    ArtifactRefused,
    Lineage,
    Manifest,
    check_file,
    folder_files,
    hash_file,
    verify_artifact,
)
from slipway_training.corpus import local_path
from slipway_training.errors import ConfigInvalid, SourceRefused
from slipway_training.files import build_folder
from slipway_training.shipping import telling_apart

# Folder of a run's work for artifacts that an object store holds.
FETCHED = "fetched"


def publish(
    artifact_dir: Path,
    fill: Callable[[Path], None],
    *,
    architecture: str,
    lineage: Lineage,
    metrics: dict[str, float],
    kind: ArtifactKind = "text-generation",
) -> ArtifactRef:
    """Make ``artifact_dir`` from the files that ``fill`` writes, manifest last."""

    def build(folder: Path) -> None:
        fill(folder)
        manifest = Manifest(
            kind=kind,
            architecture=architecture,
            files=_describe(folder),
            metrics=metrics,
            lineage=lineage,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        (folder / MANIFEST_NAME).write_bytes(manifest.canonical())

    if artifact_dir.exists():
        raise ConfigInvalid(f"artifactDir {artifact_dir} exists already; choose a new folder")
    build_folder(artifact_dir, build)
    return reference(artifact_dir)


def reference(folder: Path) -> ArtifactRef:
    """URI and digest of the artifact in ``folder``, by its manifest as it is on disk."""
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise ConfigInvalid(f"{folder} is no artifact: it has no {MANIFEST_NAME}") from error
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    return ArtifactRef(uri=folder.resolve().as_uri(), digest=digest)


def open_artifact(ref: ArtifactRef, cache: Path) -> tuple[Path, Manifest]:
    """Folder and manifest of ``ref`` after every byte was checked against its digest.

    ``cache``: a folder for what an object store holds.
    """
    if is_object_store(ref.uri):
        with telling_apart():
            return obtain(ref, cache, read_access())
    folder = local_path(ref.uri, field="artifact uri")
    try:
        return folder, verify_artifact(folder, ref.digest)
    except (ArtifactRefused, OSError) as error:
        raise SourceRefused(str(error)) from error


def _describe(folder: Path) -> tuple[ArtifactFile, ...]:
    entries = []
    try:
        for path in sorted(folder_files(folder)):
            check_file(folder, path)
            size, sha256 = hash_file(folder / path)
            entries.append(ArtifactFile(path=path, sha256=sha256, size=size))
    except ArtifactRefused as error:
        raise SourceRefused(str(error)) from error
    return tuple(entries)
