"""Each odd value as each field of each body of the gateway's OpenAPI document.

What JSON can spell and Python, PostgreSQL or a writer of JSON may stumble over: depth, numbers
beyond every type, text that is no Unicode. Generated bodies (test_hostile_openapi.py) rarely hold
it. All end in an answer or a client's error; 503 only where the document names it.
"""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from auth_requests import BODIES
from fault_server import FaultServer
from hostile_site import Site

ODD = {
    "deep-300": b"[" * 300 + b"]" * 300,
    "deep-990": b"[" * 990 + b"]" * 990,
    "deep-objects": b'{"a":' * 500 + b"1" + b"}" * 500,
    "deeper": b"[" * 100_000 + b"]" * 100_000,
    "2**63": b"9223372036854775808",
    "2**64": b"18446744073709551616",
    "2**31": b"2147483648",
    "minus": b"-9223372036854775809",
    "5000-digits": b"9" * 5000,
    "1e999": b"1e999",
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "nul": b'"a\\u0000b"',
    "nul-in-list": b'["a\\u0000b"]',
    "nul-in-name": b'{"a\\u0000b":"c\\u0000d"}',
    "surrogate": b'"\\ud800"',
    "surrogate-in-name": b'{"\\ud800":"\\udfff"}',
    "not-utf-8": b'"\xff\xfe"',
    "long": b'"' + b"x" * 200_000 + b'"',
    "year-0": b'"0000-00-00T00:00:00Z"',
    "year-99999": b'"99999-01-01T00:00:00Z"',
}


# What hot routes read, and what nobody knows.
MORE = ("stream", "user", "temperature", "max_tokens", "response_format", "tools", "unknown")


class Result:
    """What was wrong, how much was sent, and the log of the process."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.sent = 0
        self.log = ""


class Bodies:
    """Values that the document's schemas allow."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas = document.get("components", {}).get("schemas", {})

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Name → the schema of each property; empty for what is no object."""
        found = self._resolve(schema)
        return dict(found.get("properties", {}))

    def required(self, schema: dict[str, Any]) -> dict[str, bytes]:
        """The least that is allowed, each field as JSON."""
        found = self._resolve(schema)
        fields = found.get("properties", {})
        return {name: self._sample(fields.get(name, {})) for name in found.get("required", ())}

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            return self._resolve(self._schemas[schema["$ref"].rpartition("/")[2]])
        for way in ("anyOf", "oneOf", "allOf"):
            if way in schema:
                return self._resolve(schema[way][0])
        return schema

    def _sample(self, schema: dict[str, Any]) -> bytes:
        found = self._resolve(schema)
        for name in ("default", "const"):
            if found.get(name) is not None:
                return json.dumps(found[name]).encode()
        if found.get("enum"):
            return json.dumps(found["enum"][0]).encode()
        match found.get("type"):
            case "integer" | "number":
                return b"1"
            case "boolean":
                return b"true"
            case "array":
                return b"[" + self._sample(found.get("items", {})) + b"]"
            case "object":
                return _object(self.required(found))
            case _:
                return b'"odd"'


def _object(fields: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(json.dumps(n).encode() + b":" + v for n, v in fields.items()) + b"}"


def bodies(path: str, schema: dict[str, Any], known: Bodies) -> dict[str, bytes]:
    """By name: each odd value alone, and as each field of the least body."""
    proper = {name: json.dumps(value).encode() for name, value in BODIES.get(path, {}).items()}
    least = known.required(schema) | proper
    found = {f"alone={name}": odd for name, odd in ODD.items()}
    for field in {**known.whole(schema), **proper, **dict.fromkeys(MORE)}:
        for name, odd in ODD.items():
            found[f"{field}={name}"] = _object(least | {field: odd})
    return found


async def _run(site: Site) -> Result:
    result = Result()
    async with FaultServer() as engine, aiohttp.ClientSession() as session:
        await site.publish({"a": engine.url}, default=True)
        async with session.get(site.gateway.url + "/openapi.json") as answer:
            document = await answer.json()
        known = Bodies(document)
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                content = operation.get("requestBody", {}).get("content", {})
                schema = content.get("application/json", {}).get("schema")
                if schema is None:
                    continue
                target = site.gateway.url + path.replace("{", "").replace("}", "")
                for name, body in bodies(path, schema, known).items():
                    told = await _ask(session, method, target, body, operation["responses"])
                    result.sent += 1
                    if told:
                        result.wrong.append(f"{method} {path} {name}: {told}")
    result.log = site.gateway.log.read_text()
    return result


async def _ask(
    session: aiohttp.ClientSession, method: str, target: str, body: bytes, documented: Any
) -> str:
    headers = {"content-type": "application/json"}
    async with session.request(method, target, data=body, headers=headers) as answer:
        text = await answer.text(errors="replace")
    if answer.status >= 500 and not (answer.status == 503 and "503" in documented):
        return f"{answer.status} {text[:300]}"
    if "x-request-id" not in answer.headers:
        return f"{answer.status} without a request id"
    return ""


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run)


def test_odd_values_in_every_field(result: Result) -> None:
    print(f"{result.sent} bodies")
    assert result.wrong == []
    assert result.sent > 2000


def test_the_log_of_the_process_has_no_traceback(result: Result) -> None:
    at = result.log.find("Traceback")
    assert at < 0, result.log[max(0, at - 500) : at + 3000]
