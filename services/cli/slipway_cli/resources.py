"""The two kinds under every name that people type, and how an object is addressed.

``models``, ``mdl``, ``mv``, ``mv/v2``: kubectl's habits. Knows no database.
"""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import Any

from slipway_cli.errors import InvalidInput
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

Resource = Model | ModelVersion


class Kind(StrEnum):
    """The kinds of the API group."""

    MODEL = "Model"
    VERSION = "ModelVersion"

    @property
    def short(self) -> str:
        """The short name, as the CRD has it."""
        return "mdl" if self is Kind.MODEL else "mv"

    @property
    def plural(self) -> str:
        """The plural, as the CRD has it."""
        return f"{self.value.lower()}s"


_TYPES: dict[Kind, type[Model] | type[ModelVersion]] = {
    Kind.MODEL: Model,
    Kind.VERSION: ModelVersion,
}
_NAMES = {
    "model": Kind.MODEL,
    "models": Kind.MODEL,
    "mdl": Kind.MODEL,
    "modelversion": Kind.VERSION,
    "modelversions": Kind.VERSION,
    "version": Kind.VERSION,
    "versions": Kind.VERSION,
    "mv": Kind.VERSION,
}


def parse_kind(text: str) -> Kind:
    """``mv`` → Kind.VERSION. Raises InvalidInput with the nearest kind."""
    kind = _NAMES.get(text.lower())
    if kind is None:
        near = difflib.get_close_matches(text.lower(), _NAMES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidInput(f"no kind {text!r}: use models (mdl) or modelversions (mv){hint}")
    return kind


def parse_target(text: str) -> tuple[Kind | None, str]:
    """``v2`` → (None, "v2"); ``mv/v2`` → (Kind.VERSION, "v2")."""
    kind, slash, name = text.partition("/")
    return (parse_kind(kind), name) if slash else (None, text)


def type_of(kind: Kind) -> type[Model] | type[ModelVersion]:
    """The pydantic type of a kind."""
    return _TYPES[kind]


def parse_resource(body: dict[str, Any]) -> Resource:
    """Wire form as stored → the typed resource. Raises pydantic's ValidationError."""
    return _TYPES[Kind(body["kind"])].model_validate(body)


def label(resource: Resource) -> str:
    """``mv/v2``: how messages name an object."""
    return f"{Kind(resource.kind).short}/{resource.metadata.name}"
