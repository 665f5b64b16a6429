"""The generated CRDs read as data: every CEL rule and every limit with its path, and samples.

For tests that must notice a rule nobody tests: what is listed here comes from the YAML that is
installed, never from the types that made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "deploy/crds"
LIMITS = (
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
)
# A path's steps: a property's name, ITEM for a list's entry, VALUE for a map's value.
ITEM, VALUE = "[]", "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``x-kubernetes-validations`` entry at ``path``."""

    kind: str
    path: tuple[str, ...]
    rule: str
    message: str
    field: str

    @property
    def id(self) -> str:
        """What tests call it by: where it sits and where its error points to."""
        return f"{self.kind}.{'.'.join(self.path)}{self.field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One keyword of one field."""

    kind: str
    path: tuple[str, ...]
    keyword: str
    node: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.kind}.{'.'.join(self.path)}-{self.keyword}"


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Kind → its OpenAPI schema as installed; to be read only."""
    found = {}
    for file in sorted(CRDS.glob("*.yaml")):
        spec = yaml.safe_load(file.read_text("utf-8"))["spec"]
        found[spec["names"]["kind"]] = spec["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def rules() -> list[Rule]:
    """Every CEL rule of both kinds, specs and statuses."""
    return [
        Rule(
            kind=kind,
            path=path,
            rule=entry["rule"],
            message=entry.get("message", ""),
            field=entry.get("fieldPath", ""),
        )
        for kind, schema in schemas().items()
        for path, node in nodes(schema)
        for entry in node.get("x-kubernetes-validations", [])
    ]


def limits() -> list[Limit]:
    """Every enum, pattern, bound and length of both specs."""
    return [
        Limit(kind=kind, path=path, keyword=keyword, node=node)
        for kind, schema in schemas().items()
        for path, node in nodes(schema["properties"]["spec"], ("spec",))
        for keyword in LIMITS
        if keyword in node
    ]


def nodes(
    node: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Each node of a schema with its path, parents first."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, (*path, name))
    if "items" in node:
        yield from nodes(node["items"], (*path, ITEM))
    if isinstance(node.get("additionalProperties"), dict):
        yield from nodes(node["additionalProperties"], (*path, VALUE))


def at(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The node at a path."""
    return dict(nodes(schema))[path]
