"""pydantic's JSON schema → Kubernetes' structural schema.

No ``$ref``, no ``anyOf`` with null, no ``additionalProperties: false``; maps typed; every string,
list and map bounded, so that CEL rules have a cost. A spec that is not bounded is an error of the
types; a status gets bounds here, since only Slipway writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from slipway_contracts.base import Spec
from slipway_contracts.crd.described import class_text, field_texts, plain
from slipway_contracts.crd.rules import LIST_KEYS, RULES

Schema = dict[str, Any]
STATUS_STRING = 1024
STATUS_MESSAGE = 32_768
STATUS_ITEMS = 64
_KEPT = (
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "format",
)


class UnboundedField(ValueError):
    """A field of a spec has no maxLength or maxItems; the message is its path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the resource a schema stands; decides on defaults and bounds."""

    path: str
    defaults: bool
    status: bool
    definitions: Mapping[str, Schema]
    types: Mapping[str, type[BaseModel]]

    def under(self, name: str) -> _Place:
        return replace(self, path=f"{self.path}.{name}")


def structural(
    model: type[BaseModel], path: str, *, defaults: bool, no_defaults_under: tuple[str, ...] = ()
) -> Schema:
    """The schema of one part of a resource (``path``: spec or status).

    ``no_defaults_under`` names properties where a default would win over the value of the Model
    that it should let through.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    place = _Place(
        path=path,
        defaults=defaults,
        status=path == "status",
        definitions=raw.get("$defs", {}),
        types={known.__name__: known for known in _descendants(Spec)},
    )
    return _object(model, raw, place, no_defaults_under)


def _descendants(owner: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in owner.__subclasses__():
        yield child
        yield from _descendants(child)


def _object(
    model: type[BaseModel], raw: Schema, place: _Place, no_defaults_under: tuple[str, ...] = ()
) -> Schema:
    schema: Schema = {"description": class_text(model), "type": "object"}
    if raw.get("required"):
        schema["required"] = sorted(raw["required"])
    texts = field_texts(model)
    properties: dict[str, Schema] = {}
    for name, field in model.model_fields.items():
        wire = field.alias or name
        inner = place.under(wire)
        if wire in no_defaults_under:
            inner = replace(inner, defaults=False)
        prop = _value(raw["properties"][wire], inner)
        prop |= LIST_KEYS.get((model, name), {})
        text = texts.get(name) or field.description
        if text:
            prop = {"description": text, **_without(prop, "description")}
        if not prop.get("description"):
            raise ValueError(f"{inner.path} has no description; put a docstring under the field")
        properties[wire] = prop
    for name, computed in model.model_computed_fields.items():
        properties[computed.alias or name] = {
            "description": plain(computed.description or ""),
            "type": "string",
            "maxLength": STATUS_STRING,
        }
    if properties:
        schema["properties"] = properties
    if model in RULES:
        schema["x-kubernetes-validations"] = [rule.schema() for rule in RULES[model]]
    return schema


def _value(raw: Schema, place: _Place) -> Schema:
    raw = _flattened(raw)
    default = raw.get("default")
    read = _referenced if "$ref" in raw else _scalar_or_container
    schema = read(raw, place)
    if place.defaults and default is not None:
        # Parts of an object have their own defaults: one truth, and half an object is completed.
        schema["default"] = {} if schema["type"] == "object" else default
    return schema


def _flattened(raw: Schema) -> Schema:
    """``X | None`` is an optional X; a constant is an enum of one."""
    options = [option for option in raw.get("anyOf", []) if option.get("type") != "null"]
    if options:
        if len(options) != 1:
            raise ValueError(f"a structural schema has no unions: {raw}")
        raw = {**_without(raw, "anyOf"), **options[0]}
    if "const" in raw:
        raw = {**_without(raw, "const"), "enum": [raw["const"]], "type": "string"}
    return raw


def _referenced(node: Schema, place: _Place) -> Schema:
    name = node["$ref"].rsplit("/", 1)[-1]
    raw = place.definitions[name]
    if "enum" in raw:
        return {"type": "string", "enum": list(raw["enum"]), "description": _enum_text(raw)}
    return _object(place.types[name], raw, place)


def _enum_text(raw: Schema) -> str:
    """An enum's docstring, on one line."""
    return " ".join(str(raw.get("description", "")).replace("``", "").split())


def _scalar_or_container(raw: Schema, place: _Place) -> Schema:
    kind = raw["type"]
    schema: Schema = {"type": kind} | {key: raw[key] for key in _KEPT if key in raw}
    if "description" in raw:
        schema["description"] = raw["description"]
    match kind:
        case "string":
            schema |= {"enum": list(raw["enum"])} if "enum" in raw else {}
            _bound(schema, place, "maxLength", STATUS_MESSAGE if _is_message(place) else None)
        case "integer":
            schema["format"] = "int64"
        case "number":
            schema["format"] = "double"
        case "array":
            schema["items"] = _value(raw["items"], place.under("[]"))
            schema.setdefault("x-kubernetes-list-type", "atomic")
            _bound(schema, place, "maxItems", None)
        case "object":
            schema["additionalProperties"] = _value(raw["additionalProperties"], place.under("*"))
            schema |= {"maxProperties": raw["maxProperties"]} if "maxProperties" in raw else {}
            _bound(schema, place, "maxProperties", None)
    return schema | _open_bounds(raw)


def _open_bounds(raw: Schema) -> Schema:
    """JSON Schema's number is OpenAPI 3.0's boolean."""
    bounds: Schema = {}
    if "exclusiveMinimum" in raw:
        bounds |= {"minimum": raw["exclusiveMinimum"], "exclusiveMinimum": True}
    if "exclusiveMaximum" in raw:
        bounds |= {"maximum": raw["exclusiveMaximum"], "exclusiveMaximum": True}
    return bounds


def _bound(schema: Schema, place: _Place, key: str, limit: int | None) -> None:
    if key in schema or "enum" in schema or "format" in schema:
        return
    if not place.status:
        raise UnboundedField(f"{place.path} has no {key}; bound the field's type")
    schema[key] = limit or (STATUS_STRING if key == "maxLength" else STATUS_ITEMS)


def _is_message(place: _Place) -> bool:
    return place.path.endswith(".message")


def _without(schema: Schema, key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}
