"""Schemas that values of the chart share, by the names that `# @schema {definition: NAME}` uses.

Free maps and lists have no default to learn from, so what may be in them is said here. The
gateway's and the worker's settings come from their own ``Settings``: a new one is allowed as soon
as it exists.
"""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings

from slipway_contracts.metrics.gateway import TTFT
from slipway_gateway.settings import Settings as GatewaySettings
from slipway_worker.settings import Settings as WorkerSettings

Schema = dict[str, Any]

NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
FREE: Schema = {"type": "object", "additionalProperties": True}
QUANTITY: Schema = {
    "type": ["string", "integer"],
    "pattern": "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$",
    "minimum": 0,
}
CIDR: Schema = {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"}
# Given to every gateway by the chart itself, and to every worker.
OWN_SETTINGS = frozenset(
    {"dsn", "host", "port", "own_port", "slot", "state_dir", "keyless_loopback", "first_key"}
    | {"drain_delay", "shutdown_grace", "flush_timeout"}
    # By gateway.secrets, never as values; by gateway.jwt, beside the way that they open.
    | {"key_pepper", "first_admin_key", "log_hash_key"}
    | {"jwt_jwks_url", "jwt_issuer", "jwt_audience"}
)
WORKER_OWN_SETTINGS = frozenset({"dsn", "host", "port", "gateway_url", "api_key", "shutdown_grace"})


def _object(properties: dict[str, Schema], *required: str) -> Schema:
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return closed | ({"required": list(required)} if required else {})


def _map(values: Schema) -> Schema:
    return {"type": "object", "propertyNames": NAME, "additionalProperties": values}


def _models() -> Schema:
    own = {
        "labels": STRINGS | {"description": "Further labels."},
        "annotations": STRINGS | {"description": "Further annotations."},
    }
    version = _object(own | {"spec": FREE | {"description": "ModelVersion's spec."}}, "spec")
    model = own | {
        "spec": FREE | {"description": "Model's spec; `kubectl explain model.spec`."},
        "versions": _map(version) | {"description": "Its ModelVersions by name."},
    }
    return _map(_object(model, "spec"))


# Below a half nothing is promised; at 1 there is no budget to spend.
SLO_TARGET: Schema = {"type": "number", "minimum": 0.5, "exclusiveMaximum": 1}
SLO_SECONDS: Schema = {"type": "number", "enum": [*TTFT.buckets]}


def _slos() -> Schema:
    availability = _object({"target": SLO_TARGET}, "target")
    ttft = _object({"target": SLO_TARGET, "seconds": SLO_SECONDS})
    return _map(_object({"availability": availability, "ttft": ttft}))


def _settings(known: type[BaseSettings], own: frozenset[str]) -> Schema:
    """One property a setting, of the type and with the bounds that the process checks, too."""
    found = known.model_json_schema()["properties"]
    kept = {"type", "minimum", "maximum", "exclusiveMinimum", "description"}
    properties = {
        name: {key: value for key, value in schema.items() if key in kept}
        for name, schema in found.items()
        if name not in own
    }
    return _object(properties)


def definitions() -> dict[str, Schema]:
    """Every shared schema by its name."""
    name = {"type": "string", "minLength": 1}
    env_var = _object({"name": name, "value": {"type": "string"}, "valueFrom": FREE}, "name")
    return {
        "cidr": CIDR,
        "cidrs": {"type": "array", "items": CIDR, "minItems": 1},
        "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        "env": {"type": "array", "items": env_var},
        "gatewaySettings": _settings(GatewaySettings, OWN_SETTINGS),
        "models": _models(),
        "name": NAME,
        "objects": {"type": "array", "items": FREE},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "quantities": {"type": "object", "additionalProperties": QUANTITY},
        "quantity": QUANTITY,
        "sloSeconds": SLO_SECONDS,
        "sloTarget": SLO_TARGET,
        "slos": _slos(),
        "strings": STRINGS,
        "workerSettings": _settings(WorkerSettings, WORKER_OWN_SETTINGS),
        "tag": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,128}$"},
    }
