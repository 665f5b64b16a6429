"""JSON schemas of Kubernetes' own kinds for kubeconform, taken from a real API server's OpenAPI.

They lie in the tools' cache, by Kubernetes' version, and are made on first use: nothing is
downloaded. Strict: an object may have no field that its schema does not name.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from slipway_cluster.cache import folders
from slipway_cluster.controlplane import ControlPlane
from slipway_cluster.versions import KUBERNETES

Schema = dict[str, Any]
GROUPS = (
    "api/v1",
    "apis/apps/v1",
    "apis/autoscaling/v2",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
)
PREFIX = "#/components/schemas/"


def core_schemas() -> Path:
    """The folder of schemas, made if it is not there: ``<kind>-<group>-<version>.json``."""
    folder = folders().cache / "schemas" / KUBERNETES
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
            made = Path(partial) / "made"
            made.mkdir()
            with ControlPlane(Path(partial) / "plane") as plane:
                for group in GROUPS:
                    _write(plane.request("GET", f"/openapi/v3/{group}"), made)
            made.rename(folder)
    return folder


def crd_schemas(crds: Path, folder: Path, *, chosen: str = "*.yaml") -> None:
    """Schemas of the ``chosen`` CRDs of a folder, in kubeconform's naming, into ``folder``."""
    for path in sorted(crds.glob(chosen)):
        crd = yaml.safe_load(path.read_text("utf-8"))["spec"]
        for version in crd["versions"]:
            name = _file_name(crd["names"]["kind"], crd["group"], version["name"])
            schema = _closed(version["schema"]["openAPIV3Schema"])
            # What the API server knows of every object, and CRDs therefore leave out.
            schema["properties"]["metadata"] = {"type": "object"}
            (folder / name).write_text(json.dumps(schema), "utf-8")


def _write(document: Schema, folder: Path) -> None:
    schemas = document["components"]["schemas"]
    definitions = {name: _closed(schema) for name, schema in schemas.items()}
    for schema in schemas.values():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            if kind["kind"] == "DeleteOptions":
                continue
            name = _file_name(kind["kind"], kind["group"], kind["version"])
            (folder / name).write_text(
                json.dumps(_closed(schema) | {"definitions": definitions}), "utf-8"
            )


def _file_name(kind: str, group: str, version: str) -> str:
    return "-".join(filter(None, [kind, group.partition(".")[0], version])).lower() + ".json"


# Where a schema holds one schema, a list of them, or a map whose keys are names of people's choice.
ONE = {"items", "additionalProperties", "not"}
MANY = {"allOf", "anyOf", "oneOf"}
NAMED = {"properties", "patternProperties"}


def _closed(schema: Any) -> Any:
    """The same schema with local references, and closed where it names properties."""
    if not isinstance(schema, dict):
        return schema
    result = {key: _inner(key, value) for key, value in schema.items() if key != "default"}
    if "$ref" in result:
        result["$ref"] = "#/definitions/" + result["$ref"].removeprefix(PREFIX)
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    if "x-kubernetes-int-or-string" in result or result.get("format") == "int-or-string":
        result = {key: value for key, value in result.items() if key not in {"format", "oneOf"}}
        result["type"] = ["string", "integer"]
    return result


def _inner(key: str, value: Any) -> Any:
    if key in ONE:
        return _closed(value)
    if key in MANY:
        return [_closed(schema) for schema in value]
    if key in NAMED:
        return {name: _closed(schema) for name, schema in value.items()}
    return value
