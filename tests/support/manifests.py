"""Manifests as people write them: the smallest accepted Model and ModelVersion, with changes."""

from __future__ import annotations

from typing import Any

API_VERSION = "slipway.dev/v1alpha1"
TRAINING = {"data": {"sources": ["bundled:jargon"]}, "maxSteps": 10}


def a_model(name: str = "chat", **spec: Any) -> dict[str, Any]:
    """A Model's manifest."""
    return {"apiVersion": API_VERSION, "kind": "Model", "metadata": {"name": name}, "spec": spec}


def a_version(name: str = "v1", *, model: str = "chat", **spec: Any) -> dict[str, Any]:
    """A ModelVersion's manifest; ``source`` is a training where none is given."""
    filled = {"model": model, "source": {"training": TRAINING}} | spec
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelVersion",
        "metadata": {"name": name},
        "spec": filled,
    }
