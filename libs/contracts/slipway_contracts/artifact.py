"""The artifact manifest: what a folder of model files holds, and where it came from.

Written last and atomically beside the files; the digest of an artifact is the digest of its
manifest, so one hash pins every byte. Nothing serves without one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

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
    digest: Digest
