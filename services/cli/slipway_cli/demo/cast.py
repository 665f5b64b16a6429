"""Who plays in the demo, and where its manifests lie."""

from __future__ import annotations

from pathlib import Path

MODEL = "jargon"
FIRST = "v1"  # trained from nothing, promoted because there is nothing else
BETTER = "v2"  # v1 trained on; promoted on evidence
WORSE = "v3"  # good offline, bad live
HOPELESS = "v4"  # bad offline
VERSIONS = (FIRST, BETTER, WORSE, HOPELESS)


def manifest(name: str) -> Path:
    """``model`` or a version's name → its YAML file, shipped with the package."""
    return Path(__file__).with_name("manifests") / f"{name}.yaml"
