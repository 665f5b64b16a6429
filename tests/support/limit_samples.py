"""For a limit of the CRDs: an object that just keeps it, and one that just breaks it.

Objects are grown from the schema: required fields get a sample, then the field in question its
value, then what CEL rules tie to it is mended. A pattern without a pair here is an error, so that a
new one gets its test.
"""

from __future__ import annotations

import copy
from typing import Any

from crd_schema import ITEM, VALUE, Limit, schemas

NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DURATION = "^([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$"
# pattern → (what keeps it, what breaks it, and the text that it is stretched with)
PATTERNS = {
    NAME: ("abc", "Not_A_Name", "{:a>{n}}"),
    DURATION: ("90s", "soon", "{:9>{n}}"),
    "^sha256:[0-9a-f]{64}$": ("sha256:" + "0" * 64, "sha256:abc", ""),
    "^[0-9]+(Mi|Gi)$": ("8Gi", "8 gigabytes", "{:1>{n}}"),
    "^[a-z0-9-]+\\.[a-z0-9_]+$": ("heldout.loss", "heldout loss", "{:s<{n}}"),
}


def kept(limit: Limit) -> list[dict[str, Any]]:
    """Objects whose value is as far out as the limit allows."""
    return [_object(limit, value) for value in _inside(limit)]


def broken(limit: Limit) -> list[dict[str, Any]]:
    """Objects whose value is one beyond."""
    return [_object(limit, value) for value in _outside(limit)]


def sample(node: dict[str, Any], number: int = 0) -> Any:
    """A small value that the node accepts; ``number`` makes names and enum values differ."""
    match node["type"]:
        case "object":
            needed = node.get("required", [])
            return {name: sample(node["properties"][name], number) for name in needed}
        case "array":
            return [sample(node["items"])] * node.get("minItems", 0)
        case "string":
            return _text(node, number)
        case "boolean":
            return True
        case _:
            return _number(node, node.get("minimum", 1), +1)


def _text(node: dict[str, Any], number: int) -> str:
    if "enum" in node:
        return str(node["enum"][number % len(node["enum"])])
    if "pattern" in node:
        good = PATTERNS[node["pattern"]][0]
        return f"{good}{number}" if number and node["pattern"] == NAME else good
    return f"text{number or ''}"


def _number(node: dict[str, Any], bound: float, step: int) -> float | int:
    """The bound, or next to it where it is exclusive."""
    exclusive = node.get("exclusiveMinimum" if step > 0 else "exclusiveMaximum", False)
    if not exclusive:
        return bound
    return bound + step * (1e-6 if node["type"] == "number" else 1)


def _inside(limit: Limit) -> list[Any]:
    node, value = limit.node, limit.node[limit.keyword]
    match limit.keyword:
        case "enum":
            return list(value)
        case "pattern":
            return [PATTERNS[value][0]]
        case "minimum":
            return [_number(node, value, +1)]
        case "maximum":
            return [_number(node, value, -1)]
        case "minLength" | "maxLength":
            return [_long(node, value)]
        case "minItems" | "maxItems":
            return [_many(node, value)]
        case _:
            return [_map(node, value)]


def _outside(limit: Limit) -> list[Any]:
    node, value = limit.node, limit.node[limit.keyword]
    match limit.keyword:
        case "enum":
            return ["Nonsense"]
        case "pattern":
            return [PATTERNS[value][1]]
        case "minimum":
            beyond = value if node.get("exclusiveMinimum") else value - 1
            return [beyond]
        case "maximum":
            return [value if node.get("exclusiveMaximum") else value + 1]
        case "minLength":
            return ["" if value == 1 else "1" * (value - 1)]
        case "maxLength":
            # Where a pattern fixes the length, the pattern is what speaks.
            return (
                [] if PATTERNS.get(node.get("pattern"), " ")[-1] == "" else [_long(node, value + 1)]
            )
        case "minItems" | "maxItems":
            step = 1 if limit.keyword == "maxItems" else -1
            return [[sample(node["items"], i) for i in range(value + step)]]
        case _:
            return [_map(node, value + 1)]


def _map(node: dict[str, Any], size: int) -> dict[str, Any]:
    return {f"key-{number}": sample(node["additionalProperties"]) for number in range(size)}


def _long(node: dict[str, Any], length: int) -> str:
    if "pattern" not in node:
        return "a" * length
    good, _, stretched = PATTERNS[node["pattern"]]
    if node["pattern"] == DURATION and length > len(good):
        return "999999h99999999m999999999s" + f"{'ms':9>{length - 26}}"
    if len(good) < length and stretched:
        return stretched.format(good, n=length)
    return good if len(good) <= length else _shrunk(node["pattern"], length)


def _shrunk(pattern: str, length: int) -> str:
    return {NAME: "a" * length}.get(pattern, "1s"[-length:] if length < 2 else "1s")


def _many(node: dict[str, Any], count: int) -> list[Any]:
    """So many entries; fewer where each must have another of a few names."""
    keys = node.get("x-kubernetes-list-map-keys", [])
    for key in keys:
        count = min(count, len(node["items"]["properties"][key].get("enum", range(count))))
    return [sample(node["items"], number) for number in range(count)]


def _object(limit: Limit, value: Any) -> dict[str, Any]:
    schema = schemas()[limit.kind]
    body = _base(limit.kind)
    if limit.path[:2] == ("spec", "source"):
        body["spec"]["source"] = {}  # exactly one way: the path's
    _put(body, schema, limit.path, value)
    _mend(body, limit)
    return body


def _base(kind: str) -> dict[str, Any]:
    spec = {} if kind == "Model" else {"model": "chat", "source": {"random": {}}}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "sample"},
        "spec": copy.deepcopy(spec),
    }


def _put(body: Any, schema: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set ``value`` at ``path``, with samples for what else its parents require."""
    step, rest = path[0], path[1:]
    key: Any = {ITEM: 0, VALUE: "key"}.get(step, step)
    child = {ITEM: schema.get("items"), VALUE: schema.get("additionalProperties")}.get(
        step, schema.get("properties", {}).get(step)
    )
    assert child is not None
    if step == ITEM and not body:
        body.append(None)
    if not rest:
        body[key] = value
        return
    present = body[key] if step == ITEM else body.get(key)
    body[key] = present or sample(child) or ([] if child["type"] == "array" else {})
    _put(body[key], child, rest, value)


def _mend(body: dict[str, Any], limit: Limit) -> None:
    """What rules tie to the field; never the field itself."""
    spec = body["spec"]
    training = (spec.get("source") or {}).get("training") or {}
    if "base" in training or limit.path[-1] == "method":
        based = training.get("method", "full") != "scratch"
        training.setdefault("method", "full")
        if based:
            training.setdefault("base", {"version": "v1"})
            training["base"].setdefault("version", "v1") if "uri" not in training["base"] else None
    _mend_replicas(spec.get("serving") or {}, limit)
    _mend_gates(spec.get("evaluation") or {}, limit)
    for number, step in enumerate((spec.get("rollout") or {}).get("steps") or []):
        step["weight"] += number
    shares = spec.get("traffic") or []
    if shares and limit.path[-1] != "weight":
        for share in shares:
            share["weight"] = 0
        shares[0]["weight"] = 100
    elif shares and shares[0]["weight"] == 0:
        shares.append({"version": "other", "weight": 100})


def _mend_replicas(serving: dict[str, Any], limit: Limit) -> None:
    replicas = serving.get("replicas")
    if replicas and limit.path[-1] == "min":
        replicas["max"] = 1000


def _mend_gates(evaluation: dict[str, Any], limit: Limit) -> None:
    gates = evaluation.get("gates") or []
    for gate in gates:
        if not {"max", "min", "maxRelativeIncrease", "maxRelativeDecrease"} & set(gate):
            gate["max"] = 1
    if gates and "suites" not in evaluation:
        names = {str(gate["metric"]).split(".")[0] for gate in gates}
        evaluation["suites"] = [{"name": name[:63], "kind": "heldout"} for name in names]
