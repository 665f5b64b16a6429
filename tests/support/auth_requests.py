"""Requests that carry no valid key in as many ways as there are, for every route that needs one.

``credentials`` gives header lines, ``targets`` spells of a path; neither holds a key where the
gateway looks for it in the form that it asks for.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

OPEN = frozenset(
    {"/health", "/ready", "/metrics", "/metrics/prometheus", "/docs", "/redoc", "/openapi.json",
     "/docs/oauth2-redirect"}
)  # fmt: skip
# Bodies that would be answered, so that nothing but the missing key stands in the way.
BODIES: dict[str, Any] = {
    "/v1/chat/completions": {"model": "a", "messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"model": "a", "prompt": "hi"},
    "/v1/embeddings": {"model": "a", "input": "hi"},
    "/v1/responses": {"model": "a", "input": "hi"},
    "/v1/feedback": {"request_id": "r-1", "thumbs_down": True},
    "/forward": {"text": "hi"},
    "/forward_batch": {"texts": ["hi"]},
    "/api/ask": {"question_text": "hi"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str

    @property
    def body(self) -> bytes:
        if self.method in ("GET", "HEAD", "DELETE"):
            return b""
        return json.dumps(BODIES.get(self.path, {})).encode()


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI document that needs a key; parameters are filled in."""
    found = []
    for path, methods in document["paths"].items():
        if path in OPEN:
            continue
        filled = "1" if path.startswith("/api/") else "a"
        concrete = "/".join(filled if part.startswith("{") else part for part in path.split("/"))
        found += [Operation(method=method.upper(), path=concrete) for method in methods]
    return found


def _jwt(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Keys of the gateway under test. ``good`` must never come in its proper form."""

    good: str
    other: str
    revoked: str
    expired: str


def _mangled(keys: Secrets) -> dict[str, str]:
    """The good key in forms that are not the asked one."""
    good, other = keys.good, keys.other
    mixed = "_".join([*other.split("_")[:2], good.split("_", 2)[2]])
    return {
        "empty": "",
        "scheme-only": "Bearer",
        "scheme-space": "Bearer ",
        "no-scheme": good,
        "wrong": "Bearer x",
        "basic": "Basic " + base64.b64encode(good.encode()).decode(),
        "basic-user": "Basic " + base64.b64encode(f"x:{good}".encode()).decode(),
        "token": f"Token {good}",
        "key": f"Key {good}",
        "digest": f"Digest {good}",
        "bearer-colon": f"Bearer: {good}",
        "bearer-equals": f"Bearer={good}",
        "two-schemes": f"Bearer Bearer {good}",
        "truncated": f"Bearer {good[:-1]}",
        "half": f"Bearer {good[:30]}",
        "id-only": f"Bearer {'_'.join(good.split('_')[:2])}_",
        "prefix": "Bearer slw_",
        "extended": f"Bearer {good}x",
        "doubled": f"Bearer {good}{good}",
        "swapped-case": f"Bearer {good.swapcase()}",
        "upper": f"Bearer {good.upper()}",
        "others-id": f"Bearer {mixed}",
        "quoted": f'Bearer "{good}"',
        "brackets": f"Bearer <{good}>",
        "percent": f"Bearer {quote(good, safe='')[:3]}%5f{good[4:]}",
        "comma": f"Bearer {good}, Bearer x",
        "comma-first": f"Bearer x, Bearer {good}",
        "list": f"Bearer x,{good}",
        "semicolon": f"Bearer {good};x",
        "two-keys": f"Bearer x {good}",
        "inner-space": f"Bearer {good[:20]} {good[20:]}",
        "inner-tab": f"Bearer {good[:20]}\t{good[20:]}",
        "reversed": f"Bearer {good[::-1]}",
    }


def _others(keys: Secrets) -> dict[str, str]:
    """What is no key, or none any more."""
    good = keys.good
    claims = {"sub": "a", "iss": "https://x", "aud": "slipway", "exp": 9_999_999_999}
    return {
        "base64": "Bearer " + base64.b64encode(good.encode()).decode(),
        "star": "Bearer *",
        "null": "Bearer null",
        "undefined": "Bearer undefined",
        "true": "Bearer true",
        "none-key": "Bearer none",
        "json": json.dumps({"key": good}),
        "revoked": f"Bearer {keys.revoked}",
        "expired": f"Bearer {keys.expired}",
        "sql": "Bearer slw_' or 1=1--_" + "a" * 30,
        "zeros": "Bearer slw_" + "0" * 12 + "_" + "0" * 43,
        "long": "Bearer slw_" + "a" * 9000,
        "dashes": "Bearer slw_------------_" + "-" * 43,
        "admin": "Bearer admin",
        "root": "Bearer slw_root_x",
        "jwt-none": "Bearer " + _jwt({"alg": "none", "typ": "JWT"}, claims),
        "jwt-none-caps": "Bearer " + _jwt({"alg": "NoNe"}, claims),
        "jwt-hs256": "Bearer " + _jwt({"alg": "HS256"}, claims, b"\0" * 32),
        "jwt-jku": "Bearer "
        + _jwt({"alg": "RS256", "jku": "http://127.0.0.1:9/k"}, claims, b"x" * 256),
        "jwt-kid": "Bearer " + _jwt({"alg": "HS256", "kid": "../../dev/null"}, claims, b"\0" * 32),
        "jwt-no-claims": "Bearer " + _jwt({"alg": "RS256"}, {}, b"x" * 256),
        "jwt-dots": "Bearer ..",
        "utf-8": f"Bearer {good[:-1]}é",
        "look-alike": f"Bearer {good.replace('s', 'ѕ', 1)}",
        "nul": f"Bearer {good[:20]}\0{good[20:]}",
        "nul-end": f"Bearer {good}\0",
    }


def credentials(keys: Secrets) -> dict[str, list[str]]:
    """Header lines by name."""
    good = keys.good
    values = _mangled(keys) | _others(keys)
    found = {name: [f"authorization: {value}"] for name, value in values.items()}
    proper = f"Bearer {good}"
    found |= {
        "none": [],
        "twice": [f"authorization: {proper}", f"authorization: {proper}"],
        "wrong-and-good": ["authorization: Bearer x", f"authorization: {proper}"],
        "good-and-wrong": [f"authorization: {proper}", "Authorization: Bearer x"],
        "folded": ["authorization: Bearer", f" {good}"],
        "space-colon": [f"authorization : {proper}"],
        "cr": [f"x-a: b\rauthorization: {proper}"],
        "proxy-authorization": [f"proxy-authorization: {proper}"],
        "cookie": [f"cookie: authorization={good}; key={good}; token={good}"],
        "x-authorization": [f"x-authorization: {proper}"],
        "x-forwarded-authorization": [f"x-forwarded-authorization: {proper}"],
        "misspelt": [f"authorisation: {proper}"],
        "underscore": [f"http_authorization: {proper}"],
        "www-authenticate": [f"www-authenticate: {proper}"],
    }
    for name, line in {
        "x-forwarded-for": "127.0.0.1",
        "forwarded": "for=127.0.0.1;proto=https",
        "x-real-ip": "::1",
        "x-client-ip": "127.0.0.1",
        "true-client-ip": "127.0.0.1",
        "cf-connecting-ip": "127.0.0.1",
        "x-forwarded-host": "localhost",
        "x-remote-addr": "127.0.0.1",
        "origin": "http://localhost",
        "referer": "http://localhost/",
        "x-original-url": "/health",
        "x-rewrite-url": "/health",
        "x-http-method-override": "OPTIONS",
        "x-original-uri": "/health",
        "via": "1.1 localhost",
        "x-slipway-key": good,
        "x-slipway-tenant": "admin",
        "x-user": "admin",
        "x-remote-user": "admin",
    }.items():
        found[f"spoof-{name}"] = [f"{name}: {line}"]
    return found


def targets(path: str) -> list[str]:
    """Spellings of a path that a careless reader may take for an open one, or not for this one."""
    letter = f"%{ord(path[1]):02x}"
    return [
        f"/health/..{path}",
        f"/health/%2e%2e{path}",
        f"/health/..;{path}",
        f"/health;{path}",
        f"/health%00{path}",
        f"/health%2f..{path}",
        f"/health%3f{path}",
        f"/health%23{path}",
        f"/health/{path}",
        f"/docs/..{path}",
        f"/docs{path}",
        f"/metrics/..{path}",
        f"/ready/.{path}",
        f"/metrics/prometheus/../..{path}",
        f"/openapi.json/..{path}",
        f"/openapi.json{path}",
        f"/{path}",
        f"//{path}",
        f"/.{path}",
        f"/./{path[1:]}",
        f"/..{path}",
        f"/%2e{path}",
        f"{path}/",
        f"{path}//",
        f"{path}/.",
        f"{path}/..",
        f"{path};x",
        f"{path};/health",
        f"{path}%20",
        f"{path}%00",
        f"{path}%0a",
        f"{path}%0d",
        f"{path}%09",
        f"{path}%2f",
        f"{path}.json",
        f"{path}%3f",
        f"{path}?/health",
        f"{path}?keyless=1",
        f"{path}?x=/../health",
        f"{path}#/health",
        f"/{letter}{path[2:]}",
        f"/{letter.upper()}{path[2:]}",
        path.upper(),
        path.title(),
        path.replace("/", "%2f"),
        "/" + path[1:].replace("/", "%2F"),
        "/" + path[1:].replace("/", "\\"),
        path.replace("/", "//"),
        path.replace("/", "/./"),
        f"http://localhost{path}",
        f"http://127.0.0.1{path}",
        f"http://[::1]{path}",
        f"HTTP://LOCALHOST{path}",
        f"http://localhost:80{path}",
        f"http://localhost/health/..{path}",
        f"http://user@localhost{path}",
        f"https://localhost{path}",
        f"http://localhost{path}?/health",
        f"//localhost{path}",
        f"/http://localhost{path}",
        f"{path}%c0%af",
        f"/%c0%af{path[1:]}",
        f"{path}%252f",
        f"/%252e{path}",
    ]
