"""OpenAI's ``chat/completions`` and ``completions``: the engine's own language.

Bodies and answers pass byte for byte. The one exception is a Model with a system prompt of its
own: it is put in front of a chat that has none. Only the fields that routing and the log need are
looked at; everything else is for the engine to accept or refuse.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from slipway_contracts.model import GenerationDefaults
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Route
from slipway_gateway.dialects.base import Reply, StreamMap, read_object, write_object
from slipway_gateway.dialects.media import refuse_addresses
from slipway_gateway.errors import BackendError, GatewayError, SchemaViolation
from slipway_gateway.render import openai_error

_SYSTEM: Final = ("system", "developer")


class OpenAIShape:
    """What all routes under ``/v1`` share: answers untouched, errors in OpenAI's shape."""

    path = ""

    def upstream_body(self, ask: Ask, route: Route) -> bytes:
        return ask.body

    def whole(self, reply: Reply) -> tuple[int, bytes]:
        if reply.status < 400 or _is_openai_error(reply.body):
            return reply.status, reply.body
        # What the backend said is kept, in a shape that OpenAI's clients can read.
        said = reply.body[:500].decode("utf-8", "replace").strip()
        error = BackendError(f"the backend answered {reply.status}: {said}")
        return reply.status, openai_error(error, reply.request_id)

    def failure(self, error: GatewayError, request_id: str) -> tuple[int, bytes]:
        # OpenAI knows no 422.
        status = 400 if isinstance(error, SchemaViolation) else error.status
        return status, openai_error(error, request_id)

    def stream(self, ask: Ask, request_id: str) -> StreamMap | None:
        return None


class Chat(OpenAIShape):
    """``POST /v1/chat/completions``. ``remote_media``: engines may fetch addresses."""

    path = "/v1/chat/completions"

    def __init__(self, *, remote_media: bool = False) -> None:
        self._remote_media = remote_media

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        fields = read_object(body)
        messages = fields.get("messages")
        if not isinstance(messages, list) or not messages:
            raise SchemaViolation("messages must be a non-empty list", param="messages")
        system, first, last = _read_messages(messages)
        if not self._remote_media:
            refuse_addresses(messages)
        ask = read_common(fields, self.path, body)
        ask.text, ask.system, ask.first = last, system, first
        limited = fields.get("max_tokens") is not None
        ask.judge_truncation = not limited and fields.get("max_completion_tokens") is None
        ask.wants_json = _wants_json(fields.get("response_format"))
        return ask

    def upstream_body(self, ask: Ask, route: Route) -> bytes:
        if not route.system_prompt or ask.system:
            return ask.body
        fields = read_object(ask.body)
        if any(_role(message) in _SYSTEM for message in fields["messages"]):
            return ask.body
        prompt = {"role": "system", "content": route.system_prompt}
        fields["messages"] = [prompt, *fields["messages"]]
        return write_object(fields)


class Completions(OpenAIShape):
    """``POST /v1/completions``. Without a limit the API's own of 16 tokens holds, so an answer cut
    by length says nothing about the version."""

    path = "/v1/completions"

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        fields = read_object(body)
        if "prompt" not in fields:
            raise SchemaViolation("prompt is required", param="prompt")
        ask = read_common(fields, self.path, body)
        ask.text = ask.first = _prompt_text(fields["prompt"])
        ask.wants_json = _wants_json(fields.get("response_format"))
        return ask


def _is_openai_error(body: bytes) -> bool:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    error = answer.get("error") if isinstance(answer, dict) else None
    return isinstance(error, dict) and isinstance(error.get("message"), str)


def read_common(fields: dict[str, Any], path: str, body: bytes) -> Ask:
    """An ``Ask`` with the fields that every route reads alike. Raises SchemaViolation."""
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise SchemaViolation("model must name a Model; see /v1/models", param="model")
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise SchemaViolation("stream must be true or false", param="stream")
    conversation = fields.get("previous_response_id") or fields.get("prompt_cache_key")
    user = fields.get("user")
    ask = Ask(model, path, body, stream=bool(stream), greedy=_is_zero(fields.get("temperature")))
    ask.conversation = conversation if isinstance(conversation, str) else None
    ask.user = user if isinstance(user, str) and user else None
    return ask


def _is_zero(temperature: object) -> bool:
    return type(temperature) in (int, float) and temperature == 0


def _read_messages(messages: list[Any]) -> tuple[str, str, str]:
    """(system prompt, first user message, last message), as text."""
    system, first, asked = "", "", False
    for message in messages:
        role = _role(message)
        if asked:
            continue
        if role in _SYSTEM:
            system += _content_text(message.get("content"))
        elif role == "user":
            asked = True
            first = _content_text(message.get("content"))
    return system, first, _content_text(messages[-1].get("content"))


def _role(message: Any) -> object:
    if not isinstance(message, dict):
        raise SchemaViolation("every message must be an object", param="messages")
    return message.get("role")


def _content_text(content: object) -> str:
    """A message's text; parts that are not text (images) stand for themselves."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else None
        texts.append(text if isinstance(text, str) else write_object(part).decode())
    return "\n".join(texts)


def _prompt_text(prompt: object) -> str:
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and all(isinstance(part, str) for part in prompt):
        return "\n".join(prompt)
    return write_object(prompt).decode()


def _wants_json(response_format: object) -> bool:
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    return kind in ("json_object", "json_schema")
