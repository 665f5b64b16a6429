"""The one renderer of the OpenAI error shape, and its reader.

Every error under ``/v1``, whole or inside a stream, has this form and carries the request id, so
that a client's report finds its log row.
"""

from __future__ import annotations

from typing import Any

import orjson

from slipway_gateway.errors import GatewayError


def openai_error(error: GatewayError, request_id: str) -> bytes:
    """``{"error": {message, type, param, code, request_id}}``."""
    body: dict[str, Any] = {
        "message": error.message,
        "type": error.kind,
        "param": error.param,
        "code": error.code,
        "request_id": request_id,
    }
    return orjson.dumps({"error": body})


def sse_error(error: GatewayError, request_id: str) -> bytes:
    """The same as one server-sent event, which ends a broken stream."""
    return b"data: " + openai_error(error, request_id) + b"\n\n"


def message_of(error: object) -> str:
    """What a backend's ``error`` says, cut. What is no text may be too deep to be written."""
    message = error.get("message") if isinstance(error, dict) else error
    if isinstance(message, str):
        return message[:500]
    return "an error without a readable message"
