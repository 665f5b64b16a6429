"""The ``input`` of a Responses request → the messages of a chat.

A string is a user's message. A list holds messages, the model's function calls and their outputs,
in the order of the conversation; a chat wants calls inside the assistant's message. Reasoning that
an earlier answer showed is left out: chat templates drop it too. What a chat cannot say is refused
with its place in the list.
"""

from __future__ import annotations

from typing import Any

from slipway_gateway.errors import SchemaViolation

_ROLES = ("user", "assistant", "system", "developer")
_TEXT = ("input_text", "output_text", "text")


def read_input(given: str | list[Any]) -> list[dict[str, Any]]:
    """Raises SchemaViolation."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not given:
        raise SchemaViolation("input must not be empty", param="input")
    messages: list[dict[str, Any]] = []
    for index, item in enumerate(given):
        where = f"input[{index}]"
        if not isinstance(item, dict):
            raise SchemaViolation(f"{where} must be an object", param=where)
        _read_item(messages, item, where)
    if not messages:
        raise SchemaViolation("input holds no message", param="input")
    return messages


def _read_item(messages: list[dict[str, Any]], item: dict[str, Any], where: str) -> None:
    match item.get("type", "message"):
        case "message":
            messages.append(_message(item, where))
        case "function_call":
            _add_call(messages, item, where)
        case "function_call_output":
            messages.append(_output(item, where))
        case "reasoning":
            pass
        case other:
            raise SchemaViolation(
                f"{where} is of type {other!r}, which is not supported: send messages, "
                "function_call and function_call_output",
                param=f"{where}.type",
            )


def _message(item: dict[str, Any], where: str) -> dict[str, Any]:
    role = item.get("role")
    if role not in _ROLES:
        raise SchemaViolation(f"{where}.role must be one of {_ROLES}", param=f"{where}.role")
    content = item.get("content")
    if isinstance(content, str):
        return {"role": role, "content": content}
    if not isinstance(content, list):
        raise SchemaViolation(f"{where}.content must be text or a list", param=f"{where}.content")
    parts = [_part(part, f"{where}.content[{i}]") for i, part in enumerate(content)]
    if all(part["type"] == "text" for part in parts) and (role == "assistant" or len(parts) == 1):
        return {"role": role, "content": "".join(part["text"] for part in parts)}
    return {"role": role, "content": parts}


def _part(part: object, where: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise SchemaViolation(f"{where} must be an object", param=where)
    kind = part.get("type")
    if kind in _TEXT:
        return {"type": "text", "text": _string(part, "text", where)}
    if kind == "refusal":
        return {"type": "text", "text": _string(part, "refusal", where)}
    if kind == "input_image" and part.get("image_url"):
        image = {"url": _string(part, "image_url", where)}
        if isinstance(part.get("detail"), str):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    raise SchemaViolation(
        f"{where} is of type {kind!r}, which is not supported: send input_text, input_image with "
        "image_url, or input_audio",
        param=f"{where}.type",
    )


def _add_call(messages: list[dict[str, Any]], item: dict[str, Any], where: str) -> None:
    """Calls that follow one another, and the text before them, are one message of a chat."""
    function = {
        "name": _string(item, "name", where),
        "arguments": _string(item, "arguments", where),
    }
    call = {"id": _string(item, "call_id", where), "type": "function", "function": function}
    last = messages[-1] if messages else None
    if last is None or last["role"] != "assistant":
        last = {"role": "assistant", "content": None}
        messages.append(last)
    last.setdefault("tool_calls", []).append(call)


def _output(item: dict[str, Any], where: str) -> dict[str, Any]:
    output = item.get("output")
    if isinstance(output, list):
        parts = [_part(part, f"{where}.output[{i}]") for i, part in enumerate(output)]
        if any(part["type"] != "text" for part in parts):
            raise SchemaViolation(f"{where}.output may hold text only", param=f"{where}.output")
        output = "".join(part["text"] for part in parts)
    if not isinstance(output, str):
        raise SchemaViolation(f"{where}.output must be text", param=f"{where}.output")
    return {"role": "tool", "tool_call_id": _string(item, "call_id", where), "content": output}


def _string(fields: dict[str, Any], name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise SchemaViolation(f"{where}.{name} must be a string", param=f"{where}.{name}")
    return value
