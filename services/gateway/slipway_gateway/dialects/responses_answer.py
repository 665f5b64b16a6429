"""A chat's answer → the Response object, and the pieces that whole answers and streams share.

A Response is made of items: the model's reasoning, its message, its function calls. Ids are made
from the request's id, so that one client's report finds the log row.
"""

from __future__ import annotations

from typing import Any

import orjson

from slipway_gateway.errors import BackendBroken, GatewayError

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
# More than that is no count; the sum of two still fits into JSON's integers.
_MOST_TOKENS = 2**31


def whole_response(body: bytes, echo: dict[str, Any], request_id: str) -> bytes:
    """A whole chat completion, mapped. Raises BackendBroken for what is none."""
    try:
        answer = orjson.loads(body)
        choice = answer["choices"][0]
        message = choice["message"]
        output = _output(message, request_id)
        reason = choice.get("finish_reason")
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise BackendBroken("the backend's answer is not a chat completion") from error
    response = empty_response(echo, request_id, answer.get("model"), answer.get("created"))
    finish(response, reason, output, answer.get("usage"))
    return orjson.dumps(response)


def empty_response(
    echo: dict[str, Any], request_id: str, model: object, created: object
) -> dict[str, Any]:
    """A Response that has just begun."""
    return {
        "id": f"resp_{request_id}",
        "object": "response",
        "created_at": created if isinstance(created, int | float) else 0,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model if isinstance(model, str) else "",
        "output": [],
        "usage": None,
        **echo,
    }


def finish(
    response: dict[str, Any], reason: object, output: list[dict[str, Any]], usage: object
) -> None:
    """Its end: complete, or cut for a reason."""
    why = cut_reason(reason)
    response["status"] = "incomplete" if why else "completed"
    response["incomplete_details"] = {"reason": why} if why else None
    if why and output:
        output[-1]["status"] = "incomplete"
    response["output"] = output
    response["usage"] = _usage(usage)


def cut_reason(reason: object) -> str | None:
    """Why an answer is not complete; None when it is."""
    return _INCOMPLETE.get(reason) if isinstance(reason, str) else None


def fail(response: dict[str, Any], error: GatewayError) -> None:
    """Its end in an error of the gateway's or the backend's."""
    response["status"] = "failed"
    response["error"] = {"code": "server_error", "message": error.message}


def reasoning_item(item_id: str, text: str, status: str) -> dict[str, Any]:
    """What a reasoning model thought aloud."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {
        "id": item_id, "type": "reasoning", "status": status, "summary": [], "content": content,
    }  # fmt: skip


def message_item(item_id: str, parts: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """What it says."""
    return {
        "id": item_id, "type": "message", "status": status, "role": "assistant", "content": parts,
    }  # fmt: skip


def text_part(text: str) -> dict[str, Any]:
    """Text within a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> dict[str, Any]:
    """A refusal within a message."""
    return {"type": "refusal", "refusal": text}


def call_item(
    item_id: str, *, call_id: str, name: str, arguments: str, status: str
) -> dict[str, Any]:
    """A call of the client's function."""
    return {
        "id": item_id, "type": "function_call", "status": status, "call_id": call_id, "name": name,
        "arguments": arguments,
    }  # fmt: skip


def item_id(prefix: str, request_id: str, index: int) -> str:
    """Of the item at this place of the output."""
    return f"{prefix}_{request_id}_{index}"


def reasoning_of(message: dict[str, Any]) -> str:
    """A chat's reasoning, by either of the names that engines use."""
    text = message.get("reasoning") or message.get("reasoning_content")
    return text if isinstance(text, str) else ""


def _output(message: dict[str, Any], request_id: str) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    if reasoning := reasoning_of(message):
        output.append(reasoning_item(item_id("rs", request_id, 0), reasoning, "completed"))
    calls = message.get("tool_calls") or []
    parts = []
    text, refusal = _said(message.get("content")), _said(message.get("refusal"))
    if text or not (calls or refusal):
        parts.append(text_part(text))
    if refusal:
        parts.append(refusal_part(refusal))
    if parts:
        output.append(message_item(item_id("msg", request_id, len(output)), parts, "completed"))
    for call in calls:
        function, call_id = call["function"], call.get("id")
        named = isinstance(call_id, str) and call_id
        output.append(
            call_item(
                item_id("fc", request_id, len(output)),
                call_id=call_id if named else item_id("call", request_id, len(output)),
                name=_said(function["name"]),
                arguments=_said(function.get("arguments")),
                status="completed",
            )
        )
    return output


def _said(value: object) -> str:
    """Text, or none. Raises TypeError: anything else could be too deep to write again."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text should be")
    return value or ""


def _usage(usage: object) -> dict[str, Any] | None:
    if not isinstance(usage, dict):
        return None
    asked, answered = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    reasoned = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": reasoned},
        "total_tokens": asked + answered,
    }


def _count(fields: object, name: str) -> int:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else 0
