"""The generator of values.schema.json and README.md: nothing undocumented, nothing left open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chart_definitions
import chart_generated
import pytest
from chart_values_file import Uncommented, read_values
from helm_chart import CHART

from slipway_gateway.settings import Settings


def values_of(tmp_path: Path, text: str):
    path = tmp_path / "values.yaml"
    path.write_text(text, "utf-8")
    return read_values(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: 1\n", "line 1: a "),
        ("# -- A.\na:\n  b: 1\n", "line 3: a.b "),
        ("# -- A.\n\na: 1\n", "line 3: a "),
        ("# A comment of another kind.\na: 1\n", "line 2: a "),
    ],
)
def test_a_value_without_its_comment_is_an_error(tmp_path, text, named):
    with pytest.raises(Uncommented, match="comment") as error:
        values_of(tmp_path, text)
    assert named in str(error.value)


@pytest.mark.parametrize("default", ["{}", "[]"])
def test_an_empty_default_needs_a_hint(tmp_path, default):
    with pytest.raises(ValueError, match="a is empty"):
        chart_generated.schema(values_of(tmp_path, f"# -- A.\na: {default}\n"))


def test_types_come_from_defaults_and_hints_add_to_them(tmp_path):
    text = (
        "# -- A.\n# @schema {minimum: 1}\na: 1\n"
        "# -- B.\nb:\n  # -- C.\n  c: true\n"
        "# -- D.\n# @schema {items: {definition: port}}\nd: []\n"
        "# -- E.\n# @schema {definition: quantities}\ne: {cpu: 1}\n"
    )
    schema = chart_generated.schema(values_of(tmp_path, text))
    assert schema["properties"] == {
        "a": {"description": "A.", "type": "integer", "minimum": 1},
        "b": {
            "description": "B.",
            "type": "object",
            "properties": {"c": {"description": "C.", "type": "boolean"}},
            "additionalProperties": False,
        },
        "d": {"description": "D.", "type": "array", "items": {"$ref": "#/definitions/port"}},
        "e": {"description": "E.", "allOf": [{"$ref": "#/definitions/quantities"}]},
    }


def test_every_object_of_the_schema_is_closed_or_says_what_it_holds():
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    objects = list(_objects(schema))
    assert len(objects) > 50
    assert [node for node in objects if "additionalProperties" not in node] == []
    open_ones = [n for n in objects if n["additionalProperties"] is True and "properties" in n]
    assert open_ones == []


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def test_the_readme_lists_every_value():
    text = (CHART / "README.md").read_text("utf-8")
    leaves = list(chart_generated.leaves(read_values(CHART / "values.yaml")))
    assert len(leaves) > 100
    for value in leaves:
        assert f"| `{'.'.join(value.path)}` |" in text
        assert value.text.endswith((".", "?")), value.path


def test_every_setting_of_the_gateway_is_the_charts_own_or_a_value():
    free = chart_definitions.definitions()["gatewaySettings"]["properties"]
    assert free.keys() | chart_definitions.OWN_SETTINGS == Settings.model_fields.keys()
    assert not free.keys() & chart_definitions.OWN_SETTINGS
