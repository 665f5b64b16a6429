"""What the client calls a good answer."""

from __future__ import annotations

import json

import pytest

from slipway_cli.demo.answers import complaint


def chunk(**delta):
    return b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"


def plain(**message):
    return json.dumps({"choices": [{"message": message}]}).encode()


DONE = b"data: [DONE]\n\n"
REFUSAL = b'{"error": {"message": "maximum context length is 128 tokens"}}'


@pytest.mark.parametrize(
    ("status", "body", "stream", "expected"),
    [
        pytest.param(200, plain(content="hello"), False, "", id="plain"),
        pytest.param(200, b'{"choices": [{"text": "hello"}]}', False, "", id="completion"),
        pytest.param(200, plain(content=""), False, "empty", id="empty"),
        pytest.param(200, plain(content=None), False, "empty", id="null"),
        pytest.param(200, b'{"choices": []}', False, "broken answer", id="no choice"),
        pytest.param(200, b"[]", False, "broken answer", id="not an object"),
        pytest.param(200, b'{"choi', False, "broken answer", id="half a body"),
        pytest.param(400, REFUSAL, True, "status 400: maximum context", id="refused"),
        pytest.param(502, b"<html>", False, "status 502: <html>", id="no JSON"),
        pytest.param(422, b'{"detail": [1]}', False, "status 422: [1]", id="FastAPI's detail"),
        pytest.param(200, chunk(role="assistant") + chunk(content="a") + DONE, True, "", id="SSE"),
        pytest.param(
            200, b'data: {"choices": [{"text": "a"}]}\r\n\r\n' + DONE, True, "", id="CRLF, text"
        ),
        pytest.param(200, chunk(role="assistant") + DONE, True, "empty", id="empty stream"),
        pytest.param(200, chunk(content="a"), True, "broken stream", id="no end"),
        pytest.param(200, b"", True, "broken stream", id="nothing"),
        pytest.param(
            200,
            chunk(content="a") + b'data: {"error": {"message": "engine died"}}\n\n' + DONE,
            True,
            "error in stream: engine died",
            id="error in the stream",
        ),
        pytest.param(200, b'data: {"cho\n\n' + DONE, True, "broken answer", id="torn event"),
        pytest.param(
            200, chunk(content="a") + b'data: {"choices": []}\n\n' + DONE, True, "", id="usage"
        ),
    ],
)
def test_complaint(status, body, stream, expected):
    found = complaint(status, body, stream=stream)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)
