"""Was this answer good? The client's judgement of one response's bytes, streamed or plain. Pure.

It follows the OpenAI API only, and is the client's alone: the gateway's flags are not consulted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

DONE = b"[DONE]"


def complaint(status: int, body: bytes, *, stream: bool) -> str:
    """Empty for a good answer, else a short reason: ``status 400: …``, ``empty``, ``broken …``."""
    if status != 200:
        return f"status {status}: {_message(body)}"
    try:
        return _stream_complaint(body) if stream else _plain_complaint(json.loads(body))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return f"broken answer: {type(error).__name__}"


def _plain_complaint(answer: dict[str, Any]) -> str:
    choice = answer["choices"][0]
    text = choice["text"] if "text" in choice else choice["message"]["content"]
    return "" if text else "empty"


def _stream_complaint(body: bytes) -> str:
    text = False
    finished = False
    for data in _events(body):
        if data == DONE:
            finished = True
            continue
        chunk = json.loads(data)
        if "error" in chunk:
            return f"error in stream: {chunk['error'].get('message', '')[:120]}"
        for choice in chunk.get("choices", ()):
            piece = choice["text"] if "text" in choice else choice["delta"].get("content")
            text = text or bool(piece)
    if not finished:
        return "broken stream: no [DONE]"
    return "" if text else "empty"


def _events(body: bytes) -> Iterator[bytes]:
    for line in body.splitlines():
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _message(body: bytes) -> str:
    try:
        parsed = json.loads(body)
        found = parsed.get("error", parsed.get("detail", parsed))
        text = found.get("message", found) if isinstance(found, dict) else found
    except (ValueError, AttributeError):
        text = body.decode(errors="replace")
    return " ".join(str(text).split())[:120]
