"""What defines the artifact never changes; everything else may.

Each field of ``spec.source`` and ``spec.model`` is changed, added where it was absent and removed
where it was present. The fields come from the schema, so that a new one is tried too.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from admission import Admission
from crd_schema import at, schemas
from limit_samples import sample
from manifests import TRAINING, a_version

MODEL = "spec.model is immutable; make a ModelVersion with another name"
SOURCE = "spec.source is immutable, since a version is one artifact"
SCHEMA = schemas()["ModelVersion"]
BASED = TRAINING | {"method": "full", "base": {"version": "v0"}}
SOURCES: dict[str, dict[str, Any]] = {
    "training": BASED,
    "artifact": {"uri": "hf://a/b"},
    "adapter": {"base": "v0", "uri": "s3://bucket/a"},
    "random": {},
}


def _properties(way: str) -> dict[str, Any]:
    return dict(at(SCHEMA, ("spec", "source", way))["properties"])


def _another(node: dict[str, Any], old: Any) -> Any:
    """A value of the field's type that is not the old one, nor its default."""
    taken = (old, node.get("default"))
    if "enum" in node:
        return next(value for value in node["enum"] if value not in taken)
    match node["type"]:
        case "boolean":
            return not (old if old is not None else node.get("default", False))
        case "integer" | "number":
            value = max(number for number in (*taken, 0) if number is not None)
            return value + (1 if node["type"] == "integer" else 0.01)
        case "object" if node.get("properties"):
            name, child = next(iter(node["properties"].items()))
            return (old or sample(node)) | {name: _another(child, (old or {}).get(name))}
        case "object":
            return {"key": sample(node["additionalProperties"])}
        case "array":
            return [sample(node["items"], 7)]
        case _:
            return sample(node, 7) if sample(node, 7) not in taken else sample(node, 8)


FIELDS = [(way, name) for way in SOURCES for name in _properties(way)]


def test_every_way_of_a_source_is_tried() -> None:
    assert set(SOURCES) == set(at(SCHEMA, ("spec", "source"))["properties"])


@pytest.mark.parametrize(("way", "name"), FIELDS, ids=[".".join(pair) for pair in FIELDS])
def test_a_field_of_the_source_neither_changes_nor_comes_nor_goes(
    stored: Admission, way: str, name: str
) -> None:
    source = copy.deepcopy(SOURCES[way])
    body = a_version(source={way: source})
    assert stored.create(body, dry=False).accepted
    kept = stored.get("ModelVersion", "v1")["spec"]["source"][way]
    other = _another(_properties(way)[name], kept.get(name))
    _refused(stored, {"source": {way: {name: other}}})
    if name in kept and "default" not in _properties(way)[name]:
        _refused(stored, {"source": {way: {name: None}}})


def _refused(stored: Admission, spec: dict[str, Any]) -> None:
    answer = stored.patch("ModelVersion", "v1", {"spec": spec})
    assert answer.status == 422, f"accepted: {spec}"
    required = "Required value" in answer.message  # said instead where a required field goes
    assert SOURCE in answer.message or required, answer.message
    assert any(found.startswith("spec.source") for found in answer.fields)


def test_a_version_stays_with_its_model_and_its_way(stored: Admission) -> None:
    assert stored.create(a_version(), dry=False).accepted
    answer = stored.patch("ModelVersion", "v1", {"spec": {"model": "other"}})
    assert (answer.status, answer.fields) == (422, ["spec.model"])
    assert MODEL in answer.message
    _refused(stored, {"source": {"training": None, "random": {}}})
    assert stored.patch("ModelVersion", "v1", {"metadata": {"labels": {"a": "b"}}}).accepted


MUTABLE = {
    "serving": {"drainSeconds": 5},
    "evaluation": {"approval": True},
    "rollout": {"autoPromote": False},
    "approval": {"granted": True},
    "desiredState": "Paused",
    "retry": {"id": "again"},
}


def test_all_else_may_change(stored: Admission) -> None:
    named = set(at(SCHEMA, ("spec",))["properties"])
    assert named - set(MUTABLE) == {"model", "source"}
    assert stored.create(a_version(), dry=False).accepted
    for name, value in MUTABLE.items():
        answer = stored.patch("ModelVersion", "v1", {"spec": {name: value}}, dry=False)
        assert answer.accepted, answer.message
        restored = stored.patch("ModelVersion", "v1", {"spec": {name: None}}, dry=False)
        assert restored.accepted, restored.message
