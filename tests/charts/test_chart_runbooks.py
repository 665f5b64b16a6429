"""Objects and labels that runbooks name are those that the chart makes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

TEXT = "\n".join(
    page.read_text("utf-8") for page in (Path(__file__).parents[2] / "docs/runbooks").glob("*.md")
)
SHORT = {"pvc": "PersistentVolumeClaim", "deployment": "Deployment", "statefulset": "StatefulSet"}


def test_objects_are_called_so(default: list[dict[str, Any]]) -> None:
    made = {(found["kind"], found["metadata"]["name"]) for found in default}
    named = set(re.findall(r"\b(pvc|deployment|statefulset)[/ ](slipway-[\w-]+)", TEXT))
    assert len(named) >= 5
    assert {(SHORT[kind], name) for kind, name in named} <= made


def test_components_are_called_so(default: list[dict[str, Any]]) -> None:
    made = {
        found["spec"]["template"]["metadata"]["labels"].get("app.kubernetes.io/component")
        for found in default
        if found["kind"] in {"Deployment", "StatefulSet"}
    }
    named = set(re.findall(r"app\.kubernetes\.io/component=(\w+)", TEXT))
    assert named == made
