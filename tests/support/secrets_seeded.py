"""Secrets planted in every place of a request that a gateway reads, logs, counts or quotes.

Each request carries one secret of its own, so that a leak names its place. ``KEYS`` are never to be
seen again anywhere; ``PROMPTS`` only in the texts of the attempts log.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CHAT = "/v1/chat/completions"
HOT = (CHAT, "/v1/completions", "/forward", "/forward_batch")
COLD = ("/v1/models", "/v1/models/x", "/metadata", "/v1/feedback", "/nope", "/health")

# What a prompt asks of the engine, and the Model that is asked.
FAULTS = {
    "": "m",
    "fault:text500:": "m-text500",
    "fault:quote400:": "m-quote400",
    "fault:quote500:": "m-quote500",
    "fault:die:": "m-die",
    "fault:cut:": "m-cut",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A whole request with a secret in it. ``needle``: the part to look for."""

    place: str
    needle: bytes
    data: bytes
    prompt: bool = False


def secret_of(name: str) -> str:
    """A key of the proper form that nobody made; the same name gives the same one."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"slw_{digest[:12]}_{digest[12:55]}"


def needle_of(secret: str) -> bytes:
    """Enough of a key's random part to know it by."""
    return secret.rpartition("_")[2][:20].encode()


def body_for(path: str, text: str, **more: Any) -> dict[str, Any]:
    """A body that the route takes."""
    if path == "/forward":
        return {"text": text, **more}
    if path == "/forward_batch":
        return {"texts": [text], **more}
    if path == "/v1/completions":
        return {"model": "m", "prompt": text, **more}
    if path == "/v1/feedback":
        return {"request_id": "r", "thumbs_down": True, **more}
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def request(path: str, body: bytes, *lines: str, key: str | None, method: str = "") -> bytes:
    """Its bytes; the connection ends with it."""
    verb = method or ("POST" if body else "GET")
    head = [f"{verb} {path} HTTP/1.1", "host: x", *lines, f"content-length: {len(body)}"]
    head += [f"authorization: Bearer {key}"] if key else []
    return "\r\n".join([*head, "connection: close", "", ""]).encode() + body


Place = Callable[[str, str, bytes, str], bytes]


def _line(template: str, *, keyed: bool = True) -> Place:
    def place(secret: str, path: str, body: bytes, key: str) -> bytes:
        line = template.format(s=secret, b=base64.b64encode(f"u:{secret}".encode()).decode())
        return request(path, body, line, key=key if keyed else None)

    return place


def _target(template: str) -> Place:
    def place(secret: str, path: str, body: bytes, key: str) -> bytes:
        return request(template.format(s=secret, p=path), body, key=key)

    return place


def _field(name: str, value: str = "{s}") -> Place:
    def place(secret: str, path: str, body: bytes, key: str) -> bytes:
        fields = json.loads(body or b"{}") | {name: value.format(s=secret)}
        return request(path, json.dumps(fields).encode(), key=key)

    return place


def _raw(make: Callable[[str, bytes], bytes]) -> Place:
    def place(secret: str, path: str, body: bytes, key: str) -> bytes:
        return request(path, make(secret, body), key=key)

    return place


PLACES: dict[str, Place] = {
    "authorization": _line("authorization: Bearer {s}", keyed=False),
    "authorization-basic": _line("authorization: Basic {b}", keyed=False),
    "authorization-bare": _line("authorization: {s}", keyed=False),
    "authorization-token": _line("authorization: Token {s}", keyed=False),
    "authorization-twice": _line("authorization: Bearer {s}\r\nauthorization: Bearer {s}x"),
    "authorization-long": _line("authorization: Bearer {s}" + "x" * 5000, keyed=False),
    "authorization-nul": _line("authorization: Bearer {s}\0", keyed=False),
    "authorization-utf-8": _line("authorization: Bearer {s}é", keyed=False),
    "proxy-authorization": _line("proxy-authorization: Bearer {s}"),
    "x-api-key": _line("x-odd-key: {s}"),
    "cookie": _line("cookie: session={s}"),
    "referer": _line("referer: http://x/?key={s}"),
    "user-agent": _line("user-agent: client/{s}"),
    "conversation": _line("x-conversation-id: {s}"),
    "user-header": _line("x-user-id: {s}"),
    "traceparent": _line("traceparent: 00-{s}-01"),
    "baggage": _line("baggage: key={s}"),
    "host-port": _line("x-forwarded-host: {s}"),
    "header-name": _line("x-{s}: 1"),
    "broken-header": _line("x y {s}"),
    "content-type": _line("content-type: application/{s}"),
    "content-encoding": _line("content-encoding: {s}"),
    "transfer-encoding": _line("transfer-encoding: {s}"),
    "expect": _line("expect: {s}"),
    "upgrade": _line("connection: upgrade\r\nupgrade: {s}"),
    "header-bomb": _line("x-a: {s}" + "y" * 60_000),
    "query": _target("{p}?api_key={s}"),
    "path": _target("{p}/{s}"),
    "path-first": _target("/{s}{p}"),
    "fragment": _target("{p}#{s}"),
    "userinfo": _target("http://u:{s}@x{p}"),
    "model-path": _target("/v1/models/{s}"),
    "method": lambda s, p, b, k: request(p, b, key=k, method=s.upper()),
    "field-unknown": _field("api_key"),
    "field-user": _field("user"),
    "field-stream": _field("stream"),
    "field-cache-key": _field("prompt_cache_key"),
    "field-messages": _field("messages"),
    "field-texts": _field("texts"),
    "field-model": _field("model"),
    "field-max-tokens": _field("max_new_tokens"),
    "field-request-id": _field("request_id"),
    "json-broken": _raw(lambda s, b: b'{"key": "' + s.encode() + b'", '),
    "json-list": _raw(lambda s, b: b'["' + s.encode() + b'"]'),
    "json-bytes": _raw(lambda s, b: s.encode() + b"\xff\xfe"),
    "json-deep": _raw(lambda s, b: b"[" * 2000 + s.encode()),
    "request-id": _line("x-request-id: {s}"),
}


def keys(good: str) -> Iterator[Planted]:
    """A key-like secret in every place of every route."""
    for place, plant in PLACES.items():
        for path in (*HOT, *COLD):
            secret = secret_of(f"{place} {path}")
            takes = path in HOT or path == "/v1/feedback"
            body = json.dumps(body_for(path, "hello")).encode() if takes else b""
            data = plant(secret, path, body, good)
            yield Planted(place=f"{place} {path}", needle=needle_of(secret), data=data)


def prompts(good: str) -> Iterator[Planted]:
    """A text in every place that a prompt has, on every path an answer takes."""
    for path in HOT:
        for fault, model in FAULTS.items():
            for stream in (False, True) if path.startswith("/v1") else (False,):
                name = f"prompt {path} {fault} {stream}"
                text = "canary" + hashlib.sha256(name.encode()).hexdigest()[:24]
                # A Model each, so that one's open circuit does not hide another.
                more: dict[str, Any] = {"model": model} if path.startswith("/v1") else {}
                more |= {"stream": True} if stream else {}
                body = json.dumps(body_for(path, fault + text, **more)).encode()
                data = request(path, body, key=good)
                yield Planted(place=name, needle=text.encode(), data=data, prompt=True)
    for model in ("m", "nobody"):
        system = "canary" + hashlib.sha256(f"system {model}".encode()).hexdigest()[:24]
        messages = [{"role": "system", "content": system}, {"role": "user", "content": "hello"}]
        body = json.dumps({"model": model, "messages": messages}).encode()
        data = request(CHAT, body, key=good)
        yield Planted(
            place=f"system prompt, {model}", needle=system.encode(), data=data, prompt=True
        )
