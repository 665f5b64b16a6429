"""The generated CRDs: structural, bounded, described, in step with the types and the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, ValidationError

from slipway_contracts.base import Spec
from slipway_contracts.crd.__main__ import main, rendered
from slipway_contracts.crd.definitions import OVERRIDES, definitions
from slipway_contracts.crd.rules import RULES
from slipway_contracts.crd.structural import UnboundedField, structural
from slipway_contracts.crd.yaml_text import yaml_text
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

ROOT = Path(__file__).parents[3]
CRDS = {body["spec"]["names"]["kind"]: body for body in definitions().values()}
FORBIDDEN = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "const", "title", "prefixItems"}
DATA = {"sources": ["bundled:jargon"]}


def schema_of(kind: str) -> dict[str, Any]:
    return CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema node with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}" if path else name)
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from walk(schema[key], path + mark)


NODES = [(f"{kind} {path}", node) for kind in CRDS for path, node in walk(schema_of(kind))]
OWN = [(path, node) for path, node in NODES if " metadata" not in path]


def test_the_files_in_the_repository_are_what_the_types_give() -> None:
    folder = ROOT / "deploy" / "crds"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert found == rendered(), "run: python -m slipway_contracts.crd deploy/crds"


def test_the_module_writes_them(tmp_path: Path) -> None:
    assert main([str(tmp_path / "new")]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(rendered())
    assert main([]) == 2


@pytest.mark.parametrize("name", sorted(rendered()))
def test_the_yaml_says_the_same_to_a_real_reader(name: str) -> None:
    assert yaml.safe_load(rendered()[name]) == definitions()[name]


@pytest.mark.parametrize(
    "value",
    [{}, [], "", "on", "No", "1", "1e3", "a: b", "a #b", "- a", "ü\n", None, 1.5, True, "~", "x "],
)
def test_the_yaml_writer_quotes_what_it_must(value: object) -> None:
    assert yaml.safe_load(yaml_text({"k": [value, {"n": value}]})) == {"k": [value, {"n": value}]}


def test_every_node_is_structural_and_bounded() -> None:
    assert [f"{path}: {fault}" for path, node in OWN for fault in faults(path, node)] == []


def faults(path: str, node: dict[str, Any]) -> Iterator[str]:
    """What keeps a node from being structural, or CEL from having a cost."""
    if FORBIDDEN & set(node):
        yield f"has {FORBIDDEN & set(node)}"
    if node["type"] not in {"object", "array", "string", "integer", "number", "boolean"}:
        yield f"has type {node['type']}"
    if "properties" in node and "additionalProperties" in node:
        yield "has both properties and additionalProperties"
    match node["type"]:
        case "string":
            known = path.endswith((" apiVersion", " kind"))
            if not known and not {"maxLength", "enum", "format"} & set(node):
                yield "has no maxLength"
        case "array":
            if not {"maxItems", "x-kubernetes-list-type"} <= set(node):
                yield "has no maxItems or no list type"
        case "object" if "additionalProperties" in node:
            if "maxProperties" not in node or node["additionalProperties"] is False:
                yield "is an unbounded map"
        case "object" if not node.get("properties"):
            yield "has no fields: it would be pruned empty"


def test_every_field_is_described() -> None:
    def wrong(path: str, node: dict[str, Any]) -> bool:
        text = node.get("description", "")
        entry = path.endswith(("[]", "{}")) and node["type"] != "object"
        return not entry and not (text.endswith(".") and len(text) > 3 and "``" not in text)

    assert [path for path, node in OWN if wrong(path, node)] == []


def test_keyed_lists_require_their_keys() -> None:
    keyed = [n for _, n in NODES if n.get("x-kubernetes-list-type") == "map"]
    assert len(keyed) >= 6
    for node in keyed:
        assert set(node["x-kubernetes-list-map-keys"]) <= set(node["items"]["required"])


def test_no_default_where_the_models_value_should_come_through() -> None:
    spec = schema_of("ModelVersion")["properties"]["spec"]["properties"]
    for part in OVERRIDES:
        assert not [path for path, node in walk(spec[part], part) if "default" in node]
    assert spec["desiredState"]["default"] == "Active"


def test_a_status_has_no_defaults() -> None:
    for kind in CRDS:
        status = schema_of(kind)["properties"]["status"]
        assert not [path for path, node in walk(status) if "default" in node]


def test_defaults_are_those_of_the_types() -> None:
    """Filling in the schema's defaults gives what pydantic gives."""
    spec = schema_of("Model")["properties"]["spec"]
    filled = defaulted({}, spec)
    given = Model.model_validate({"metadata": {"name": "m"}}).spec
    assert Model.model_validate({"metadata": {"name": "m"}, "spec": filled}).spec == given


def defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """What the API server does with defaults."""
    if schema["type"] != "object" or "properties" not in schema:
        return value
    result = dict(value)
    for name, child in schema["properties"].items():
        if name not in result and "default" in child:
            result[name] = child["default"]
        if name in result:
            result[name] = defaulted(result[name], child)
    return result


def test_every_validator_of_a_type_has_its_rule() -> None:
    """A new ``model_validator`` in a spec needs CEL, or kubectl takes what the CLI refuses."""
    validated = {
        model
        for model in descendants(Spec)
        if model.__pydantic_decorators__.model_validators and in_a_spec(model)
    }
    # Its one rule is uniqueness, which the keyed list says.
    by_list_key = {"Analysis"}
    assert {m.__name__ for m in validated} - by_list_key <= {m.__name__ for m in RULES}


def descendants(owner: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in owner.__subclasses__():
        yield child
        yield from descendants(child)


def in_a_spec(model: type[BaseModel]) -> bool:
    texts = json.dumps([m.model_json_schema() for m in (Model, ModelVersion)])
    return f'"{model.__name__}"' in texts


def test_immutability_sits_on_the_parent() -> None:
    rules = schema_of("ModelVersion")["properties"]["spec"]["x-kubernetes-validations"]
    assert {"self.model == oldSelf.model", "self.source == oldSelf.source"} <= {
        rule["rule"] for rule in rules
    }
    required = schema_of("ModelVersion")["properties"]["spec"]["required"]
    assert {"model", "source"} <= set(required)


@pytest.mark.parametrize("rule", [r for rules in RULES.values() for r in rules], ids=str)
def test_rules_point_to_fields_that_exist_and_never_lean_on_a_default(rule: Any) -> None:
    owner = next(model for model, rules in RULES.items() if rule in rules)
    fields = {f.alias or n: f for n, f in owner.model_fields.items()}
    assert not rule.field or rule.field in fields
    for name, field in fields.items():
        if f"self.{name}" in rule.rule and not field.is_required():
            assert f"has(self.{name})" in rule.rule


def test_an_unbounded_spec_field_is_an_error_of_the_types() -> None:
    class Loose(Spec):
        """Loose."""

        text: str
        """Text."""

    with pytest.raises(UnboundedField, match=r"spec\.text has no maxLength"):
        structural(Loose, "spec", defaults=True)


def test_a_field_without_description_is_an_error() -> None:
    class Mute(Spec):
        """Mute."""

        count: int

    with pytest.raises(ValueError, match=r"spec\.count has no description"):
        structural(Mute, "spec", defaults=True)


def a_version(**spec: Any) -> dict[str, Any]:
    body = {"model": "m", "source": {"random": {}}} | spec
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": "v1"},
        "spec": body,
    }


@pytest.mark.parametrize(
    "body",
    [
        a_version(),
        a_version(rollout={"maxDuration": "90s", "steps": [{"weight": 10}]}),
        a_version(rollout={"maxDuration": "3 hours"}),
        a_version(rollout={"maxDuration": ""}),
        a_version(rollout={"steps": [{"weight": 0}]}),
        a_version(rollout={"analysis": {"alpha": 0.5}}),
        a_version(serving={"replicas": {"min": 3}}),
        a_version(serving={"engine": {"maxModelLen": 1}}),
        a_version(serving={"nodeSelector": {"a": "b"}}),
        a_version(serving={"resources": {"memory": "4GB"}}),
        a_version(source={"training": {"data": {"sources": []}}}),
        a_version(source={"training": {"data": DATA, "epochs": 0}}),
        a_version(source={"training": {"data": DATA, "bf16": True}}),
        a_version(source={"artifact": {"uri": "x", "digest": "sha256:12"}}),
        a_version(evaluation={"gates": [{"metric": "a.b", "max": 1}]}),
        a_version(evaluation={"gates": [{"metric": "ab", "max": 1}]}),
        a_version(desiredState="Puased"),
        a_version(retry={"id": "x" * 65}),
        a_version(model="M"),
        {**a_version(), "metadata": {"name": "a.b"}},
        {"kind": "ModelVersion", "metadata": {"name": "v1"}},
    ],
    ids=lambda body: json.dumps(body.get("spec", {}))[:60],
)
def test_schema_and_types_agree(body: dict[str, Any]) -> None:
    """Without CEL, which the apiserver tier judges. OpenAPI 3.0 is JSON Schema draft 4."""
    try:
        ModelVersion.model_validate(body, by_alias=True, by_name=False)
        by_types = True
    except ValidationError:
        by_types = False
    by_schema = jsonschema.Draft4Validator(schema_of("ModelVersion")).is_valid(body)
    assert by_schema == by_types


def test_short_names_and_scope() -> None:
    assert CRDS["Model"]["spec"]["names"]["shortNames"] == ["mdl"]
    assert CRDS["ModelVersion"]["spec"]["names"]["shortNames"] == ["mv"]
    for crd in CRDS.values():
        assert crd["spec"]["scope"] == "Namespaced"
        assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}
