"""A Responses request → the chat that asks the same of an engine which knows only chats.

What cannot be asked of a chat is refused by its name: nothing is stored between calls here, and no
tool but the client's own functions runs. Fields that only the answer repeats are kept apart.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway_gateway.dialects.responses_input import read_input
from slipway_gateway.errors import SchemaViolation

# The engine's own sampling fields, which pass as they are.
_ENGINE = (
    "seed", "stop", "frequency_penalty", "presence_penalty", "top_k", "min_p",
    "repetition_penalty", "chat_template_kwargs",
)  # fmt: skip
_STATE = "nothing is stored between calls; send the whole conversation as input"
# Field → the values that ask for nothing, and what to do instead.
_REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "previous_response_id": ((), _STATE),
    "conversation": ((), _STATE),
    "store": ((False,), "answers are not stored here; send store: false"),
    "background": ((False,), "use /v1/batches for work that may wait"),
    "include": (([],), "answers hold all that there is"),
    "prompt": ((), "send the text itself as instructions and input"),
    "max_tool_calls": ((), "no tool runs here; count your own functions' calls"),
    "top_logprobs": ((0,), "use /v1/chat/completions for log probabilities"),
    "truncation": (("disabled",), "shorten the input, or use a Model with a longer context"),
    "service_tier": (("auto", "default"), "priorities belong to API keys"),
}  # fmt: skip
_UNIONS = {
    "input": "text or a list of items",
    "tool_choice": "none, auto, required, or one function by its name",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class _Format(_Part):
    """``text.format``."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class _Text(_Part):
    format: _Format | None = None


class _Reasoning(_Part):
    effort: str | None = None


class _Function(_Part):
    """A function of the client's own."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Chosen(_Part):
    type: Literal["function"]
    name: str


class _StreamOptions(_Part):
    include_obfuscation: Literal[False] | None = None


class ResponsesRequest(_Part):
    """``POST /v1/responses``: what is understood."""

    model: str = Field(min_length=1)
    input: str | list[Any]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = None
    top_p: float | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    tools: list[_Function] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Chosen | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


def read_request(fields: dict[str, Any]) -> ResponsesRequest:
    """Raises SchemaViolation that names the first wrong or unsupported field."""
    for name, (nothing, instead) in _REFUSED.items():
        if fields.get(name) is not None and fields[name] not in nothing:
            raise SchemaViolation(f"{name} is not supported: {instead}", param=name)
    tools = fields.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind != "function":
            raise SchemaViolation(
                f"tools of type {kind!r} are not supported: send functions, or run the tool in the "
                "client",
                param="tools",
            )
    known = {k: v for k, v in fields.items() if k not in _REFUSED and k not in _ENGINE}
    try:
        return ResponsesRequest.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # Pydantic names the branches of a union; the client knows the field.
        loc = first["loc"][:1] if first["loc"][0] in _UNIONS else first["loc"]
        name = ".".join(str(part) for part in loc)
        if name in _UNIONS:
            raise SchemaViolation(f"{name} must be {_UNIONS[name]}", param=name) from error
        if first["type"] == "extra_forbidden":
            raise SchemaViolation(f"{name} is not supported; leave it out", param=name) from error
        raise SchemaViolation(f"{name}: {first['msg']}", param=name) from error


def chat_body(request: ResponsesRequest, fields: dict[str, Any]) -> dict[str, Any]:
    """The chat. ``fields``: the request as it came, for what passes unread."""
    messages = read_input(request.input)
    if request.instructions:
        messages.insert(0, {"role": "system", "content": request.instructions})
    format_ = request.text.format if request.text is not None else None
    chat: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "max_completion_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "response_format": _response_format(format_),
        "reasoning_effort": request.reasoning.effort if request.reasoning is not None else None,
        "tools": [_tool(tool) for tool in request.tools] if request.tools else None,
        "tool_choice": _tool_choice(request),
        "parallel_tool_calls": request.parallel_tool_calls if request.tools else None,
        "user": request.user or request.safety_identifier,
        **{name: fields[name] for name in _ENGINE if name in fields},
    }
    if request.stream:
        chat["stream"] = True
        chat["stream_options"] = {"include_usage": True}
    return _given(**chat)


def echo_of(request: ResponsesRequest) -> dict[str, Any]:
    """What every Response says again of its request."""
    format_ = request.text.format if request.text is not None else None
    format_ = format_ or _Format()
    effort = request.reasoning.effort if request.reasoning is not None else None
    choice = request.tool_choice
    return {
        "background": False,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": None,
        "metadata": request.metadata or {},
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": None,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": effort, "summary": None},
        "safety_identifier": request.safety_identifier,
        "service_tier": "default",
        "store": False,
        "temperature": request.temperature,
        "text": {"format": _given(type=format_.type, **_schema_of(format_))},
        "tool_choice": _echoed(choice),
        "tools": [{"type": "function", **_function(tool)} for tool in request.tools or ()],
        "top_logprobs": 0,
        "top_p": request.top_p,
        "truncation": "disabled",
        "user": request.user,
    }


def _response_format(format_: _Format | None) -> dict[str, Any] | None:
    if format_ is None or format_.type == "text":
        return None
    if format_.type == "json_object":
        return {"type": "json_object"}
    if not format_.name or format_.schema_ is None:
        raise SchemaViolation("text.format needs a name and a schema", param="text.format")
    return {"type": "json_schema", "json_schema": _schema_of(format_)}


def _schema_of(format_: _Format) -> dict[str, Any]:
    return _given(
        name=format_.name,
        description=format_.description,
        schema=format_.schema_,
        strict=format_.strict,
    )


def _tool(tool: _Function) -> dict[str, Any]:
    return {"type": "function", "function": _given(**_function(tool))}


def _function(tool: _Function) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


def _tool_choice(request: ResponsesRequest) -> object:
    choice = request.tool_choice
    if isinstance(choice, _Chosen):
        return {"type": "function", "function": {"name": choice.name}}
    return choice if request.tools else None


def _echoed(choice: object) -> object:
    return choice.model_dump() if isinstance(choice, _Chosen) else choice or "auto"


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
