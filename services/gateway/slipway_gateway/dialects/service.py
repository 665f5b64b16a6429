"""The language of the source system S1: ``/forward`` and ``/forward_batch``.

Text in, generated text out, one call of the engine's ``completions`` behind it. The routes name no
model: the default Model of text generation answers. A model that failed on the input is 403 there
(SOURCES.md 1.5), malformed JSON 400, wrong fields 422 in FastAPI's form.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway_contracts.model import GenerationDefaults
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Route
from slipway_gateway.dialects.base import Reply, StreamMap, read_object
from slipway_gateway.errors import BackendBroken, GatewayError, SchemaViolation

Text = Annotated[str, Field(min_length=1)]
Request = TypeVar("Request", bound=BaseModel)
MODEL_FAILED = 403


class _Options(BaseModel):
    """Generation options; what is left out comes from the Model's ``generationDefaults``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_new_tokens: int | None = Field(default=None, ge=1, le=131_072)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)


class ForwardRequest(_Options):
    """``POST /forward``."""

    text: Text


class ForwardBatchRequest(_Options):
    """``POST /forward_batch``: the texts are answered in their order, all or none."""

    texts: list[Text] = Field(min_length=1)


class ForwardAnswer(BaseModel):
    """What ``/forward`` answers; ``generated_text`` does not repeat the input."""

    generated_text: str
    finish_reason: str | None
    model: str
    version: str
    processing_time_ms: float


class ForwardBatchAnswer(BaseModel):
    """What ``/forward_batch`` answers, in the order of the texts."""

    generated_texts: list[str]
    model: str
    version: str
    processing_time_ms: float


class Forward:
    """``POST /forward``."""

    path = "/forward"

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        request = _validate(ForwardRequest, read_object(body))
        upstream = _completion(request, request.text, defaults)
        return Ask(
            model=None, path="/v1/completions", body=upstream, text=request.text, first=request.text
        )

    def upstream_body(self, ask: Ask, route: Route) -> bytes:
        return _named(ask.body, route)

    def whole(self, reply: Reply) -> tuple[int, bytes]:
        if reply.status != 200:
            return _model_failed(reply)
        model, choices = _read(reply.body)
        choice = choices[0]
        answer = ForwardAnswer(
            generated_text=choice["text"],
            finish_reason=_text_or_none(choice.get("finish_reason")),
            model=model,
            version=reply.version,
            processing_time_ms=round(reply.millis, 3),
        )
        return 200, orjson.dumps(answer.model_dump())

    def failure(self, error: GatewayError, request_id: str) -> tuple[int, bytes]:
        return _failure(error, request_id)

    def stream(self, ask: Ask, request_id: str) -> StreamMap | None:
        return None


class ForwardBatch:
    """``POST /forward_batch``."""

    path = "/forward_batch"

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def parse(self, body: bytes, defaults: GenerationDefaults) -> Ask:
        request = _validate(ForwardBatchRequest, read_object(body))
        if len(request.texts) > self._limit:
            raise SchemaViolation(
                f"texts holds {len(request.texts)}; send at most {self._limit} in one call",
                param="texts",
            )
        upstream = _completion(request, request.texts, defaults)
        text = "\n".join(request.texts)
        return Ask(model=None, path="/v1/completions", body=upstream, text=text, first=text)

    def upstream_body(self, ask: Ask, route: Route) -> bytes:
        return _named(ask.body, route)

    def whole(self, reply: Reply) -> tuple[int, bytes]:
        if reply.status != 200:
            return _model_failed(reply)
        model, choices = _read(reply.body)
        ordered = sorted(choices, key=_place)
        answer = ForwardBatchAnswer(
            generated_texts=[choice["text"] for choice in ordered],
            model=model,
            version=reply.version,
            processing_time_ms=round(reply.millis, 3),
        )
        return 200, orjson.dumps(answer.model_dump())

    def failure(self, error: GatewayError, request_id: str) -> tuple[int, bytes]:
        return _failure(error, request_id)

    def stream(self, ask: Ask, request_id: str) -> StreamMap | None:
        return None


def _validate(kind: type[Request], fields: dict[str, Any]) -> Request:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        detail = [{**item, "loc": ["body", *item["loc"]]} for item in details]
        raise SchemaViolation("the fields of the body are wrong", detail=detail) from error


def _completion(options: _Options, prompt: object, defaults: GenerationDefaults) -> bytes:
    wanted = {
        "max_tokens": options.max_new_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
    }
    filled = {k: getattr(defaults, k) if v is None else v for k, v in wanted.items()}
    return orjson.dumps({"prompt": prompt, **filled})


def _named(body: bytes, route: Route) -> bytes:
    """The completion with the Model's name in it."""
    return b'{"model":' + orjson.dumps(route.model) + b"," + body[1:]


def _read(body: bytes) -> tuple[str, list[dict[str, Any]]]:
    """(model, choices) of a completion. Raises BackendBroken."""
    try:
        answer = orjson.loads(body)
        choices = answer["choices"]
        if choices and all(isinstance(choice["text"], str) for choice in choices):
            return _text_or_none(answer.get("model")) or "", choices
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise BackendBroken("the backend's answer is not a completion") from error
    raise BackendBroken("the backend's answer holds no text")


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _place(choice: dict[str, Any]) -> int:
    """Which of the texts it answers; backends that say nothing keep the order."""
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _model_failed(reply: Reply) -> tuple[int, bytes]:
    """The engine refused or failed on this input: 403, with what the engine said.

    An engine that has no room has not failed on the input; that stays 503.
    """
    try:
        answer = orjson.loads(reply.body)
        error = answer.get("error", answer)
        said = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    except (orjson.JSONDecodeError, AttributeError):
        said = None
    if said and not isinstance(said, str):
        # Whatever it is, it may be too deep to be written another way.
        said = reply.body[:500].decode("utf-8", "replace")
    reason = said[:500] if said else f"the engine answered {reply.status}"
    if reply.status in (429, 503):
        status, detail = 503, f"the model has no room now: {reason}"
    else:
        status, detail = MODEL_FAILED, f"the model failed on this input: {reason}"
    return status, orjson.dumps({"detail": detail, "request_id": reply.request_id})


def _failure(error: GatewayError, request_id: str) -> tuple[int, bytes]:
    body = {"detail": error.detail or error.message, "request_id": request_id}
    # Breaking off or hanging on an input is the model's failure; not being there is not.
    failed = error.status in (502, 504)
    return MODEL_FAILED if failed else error.status, orjson.dumps(body)
