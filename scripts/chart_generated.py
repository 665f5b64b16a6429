"""What is written from the chart's values.yaml: values.schema.json and README.md, and its CRDs.

The schema is strict: unknown keys are refused everywhere but in maps that say so. A default that
is an empty map or list teaches nothing, so it needs a hint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chart_definitions import definitions
from chart_values_file import Value, read_values

from slipway_contracts.crd.__main__ import rendered

CHART = Path(__file__).parents[1] / "charts" / "slipway"
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}


def crds() -> dict[str, str]:
    """The CRDs beside the templates, where Helm installs them once and never deletes them."""
    return rendered()


def documents() -> dict[str, str]:
    """File name → content."""
    values = read_values(CHART / "values.yaml")
    return {"values.schema.json": _json(schema(values)), "README.md": readme(values)}


def schema(values: tuple[Value, ...]) -> dict[str, Any]:
    """The JSON schema of all values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart slipway",
        "definitions": definitions(),
        **_object(values),
    }


def _object(values: tuple[Value, ...]) -> dict[str, Any]:
    properties = {value.name: _property(value) for value in values}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(value: Value) -> dict[str, Any]:
    described = {"description": value.text}
    if value.children:
        return described | _object(value.children)
    hints = _resolved(value.hints)
    if "$ref" in hints:
        # Beside a $ref draft 7 ignores everything.
        return described | {"allOf": [hints]}
    if isinstance(value.default, list):
        inferred: dict[str, Any] = {"type": "array"}
    else:
        inferred = {"type": TYPES[type(value.default)]}
    if value.default in ({}, []) and not hints.keys() & {"items", "additionalProperties"}:
        raise ValueError(
            f"{'.'.join(value.path)} is empty and has no `# @schema`; say what it holds"
        )
    return described | inferred | hints


def _resolved(hints: Any) -> Any:
    """``definition: NAME`` → ``$ref``, at any depth."""
    if not isinstance(hints, dict):
        return hints
    if "definition" in hints:
        return {"$ref": f"#/definitions/{hints['definition']}"}
    return {key: _resolved(value) for key, value in hints.items()}


def readme(values: tuple[Value, ...]) -> str:
    """README.md: what the chart is, and a table of every value."""
    head = (CHART / "README.head.md").read_text("utf-8")
    rows = [
        f"| `{'.'.join(value.path)}` | {_default(value.default)} | {value.text} |"
        for value in leaves(values)
    ]
    table = ["| Value | Default | |", "|---|---|---|", *rows]
    return "\n".join([head, *table, ""])


def leaves(values: tuple[Value, ...]) -> Iterator[Value]:
    """Every value that has no values inside."""
    for value in values:
        if value.children:
            yield from leaves(value.children)
        else:
            yield value


def _default(default: Any) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
