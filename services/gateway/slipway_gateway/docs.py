"""The hot routes in ``/docs`` and ``/redoc``.

They never reach FastAPI, so it is told about them: each is a route that answers 405 to the wrong
method by the framework's own rules, and a description in the OpenAPI document.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from slipway_gateway.dialects.service import (
    ForwardAnswer,
    ForwardBatchAnswer,
    ForwardBatchRequest,
    ForwardRequest,
)
from slipway_gateway.errors import NotServed

_REF = "#/components/schemas/{model}"
_OBJECT = {"type": "object", "additionalProperties": True}
_ERRORS = {
    "400": "malformed JSON, or a wrong field under /v1",
    "401": "no valid key",
    "403": "the key does not reach the Model; on /forward: the model failed on this input",
    "404": "unknown Model",
    "413": "body too large",
    "502": "the engine broke off",
    "503": "no capacity; see Retry-After",
    "504": "the engine did not answer in time",
}


def describe_hot_routes(app: FastAPI) -> None:
    """Adds the routes and replaces ``app.openapi``."""

    async def not_hot() -> None:
        # A path that Starlette takes for one of these, and the relay does not.
        raise NotServed("Not Found")

    for path in _PATHS:
        app.add_api_route(path, not_hot, methods=["POST"], include_in_schema=False)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schema["paths"].update(_PATHS)
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for model in (ForwardRequest, ForwardAnswer, ForwardBatchRequest, ForwardBatchAnswer):
                schemas[model.__name__] = model.model_json_schema(ref_template=_REF)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _post(summary: str, tag: str, request: dict[str, Any], answer: dict[str, Any]) -> Any:
    responses = {"200": {"description": "the answer", "content": _json(answer)}}
    responses |= {status: {"description": text} for status, text in _ERRORS.items()}
    body = {"required": True, "content": _json(request)}
    return {
        "post": {"summary": summary, "tags": [tag], "requestBody": body, "responses": responses}
    }


def _service(summary: str, request: type[BaseModel], answer: type[BaseModel]) -> Any:
    schemas = ({"$ref": _REF.format(model=kind.__name__)} for kind in (request, answer))
    described = _post(summary, "LLM service", *schemas)
    described["post"]["responses"]["422"] = {"description": "wrong fields"}
    return described


def _openai(summary: str, example: dict[str, Any]) -> Any:
    return _post(summary, "OpenAI", {**_OBJECT, "example": example}, _OBJECT)


_PATHS: dict[str, Any] = {
    "/v1/chat/completions": _openai(
        "OpenAI chat completions; SSE with stream: true",
        {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]},
    ),
    "/v1/completions": _openai(
        "OpenAI completions; SSE with stream: true", {"model": "demo", "prompt": "Hello"}
    ),
    "/v1/embeddings": _openai("OpenAI embeddings", {"model": "embedder", "input": ["Hello"]}),
    "/v1/responses": _openai(
        "OpenAI responses, as chats; nothing is stored; SSE with stream: true",
        {"model": "demo", "input": "Hello"},
    ),
    "/forward": _service("Generate text", ForwardRequest, ForwardAnswer),
    "/forward_batch": _service("Generate several texts", ForwardBatchRequest, ForwardBatchAnswer),
}
