"""Everything that is not hot: models, metadata, health, readiness, metrics, docs.

Plain FastAPI. What is here reads what the process holds in memory; the routers ask PostgreSQL.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from slipway_contracts.model import Task
from slipway_contracts.names import HEADER_REQUEST_ID, HEADER_VERSION
from slipway_contracts.route import ModelRoute
from slipway_gateway.administration.router import admin_router
from slipway_gateway.batches.files import files_router
from slipway_gateway.batches.routes import batches_router
from slipway_gateway.control.route import Route
from slipway_gateway.docs import describe_hot_routes
from slipway_gateway.errors import (
    GatewayError,
    NoCapacity,
    NotServed,
    RateLimited,
    RequestTimeout,
    SchemaViolation,
    TooLarge,
    UnknownModel,
)
from slipway_gateway.hotpath.admission import admit
from slipway_gateway.hotpath.exchange import NO_VERSION
from slipway_gateway.hotpath.head import read_head
from slipway_gateway.judging import feedback_router
from slipway_gateway.questions.routes import questions_router
from slipway_gateway.render import openai_error
from slipway_gateway.tenants.keys import Caller
from slipway_telemetry.page import CONTENT_TYPE

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway


# What ``BoundedBodies`` says of a body; every other HTTPException is of the router.
_BODY_ERRORS: dict[int, type[GatewayError]] = {408: RequestTimeout, 413: TooLarge}


class Json(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else orjson.dumps(content)


def make_fastapi(gateway: Gateway) -> FastAPI:
    """The application for the cold routes; ``gateway`` is asked, never changed."""
    app = FastAPI(
        title="Slipway gateway",
        version="0.1.0",
        default_response_class=Json,
        # A redirect would be built from the client's Host header.
        redirect_slashes=False,
    )
    _add_errors(app)
    _add_models(app, gateway)
    _add_health(app, gateway)
    _add_metrics(app, gateway)
    app.include_router(feedback_router(gateway, _admit))
    app.include_router(questions_router(gateway, _admit))
    app.include_router(files_router(gateway, _admit))
    app.include_router(batches_router(gateway, _admit))
    app.include_router(admin_router(gateway, _admit))
    describe_hot_routes(app)
    app.add_middleware(_Labels, gateway=gateway)
    return app


class _Labels:
    """Pure ASGI: request id and version on every answer, and its count by dispatched route."""

    def __init__(self, app: Any, *, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._gateway.hot.ids.of(read_head(scope["headers"]))
        scope["state"]["request_id"] = request_id

        async def labelled(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (HEADER_REQUEST_ID.encode(), request_id.encode()),
                    (HEADER_VERSION.encode(), NO_VERSION.encode()),
                ]
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"] if route != "unmatched" else "other"
                self._gateway.metrics.answered(method, route, message["status"])
            await send(message)

        await self._app(scope, receive, labelled)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(GatewayError)
    async def gateway_error(request: Request, error: GatewayError) -> Response:
        headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
        if isinstance(error, RateLimited):
            headers |= {name.decode(): value.decode() for name, value in error.headers}
        if isinstance(error, RequestTimeout):
            # What is left of the body is not waited for.
            headers["connection"] = "close"
        return Json(_error_body(request, error), status_code=error.status, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        violation = SchemaViolation(f"{place}: {first['msg']}", param=place or None)
        return Json(_error_body(request, violation), status_code=400)

    @app.exception_handler(HTTPException)
    async def unmatched(request: Request, error: HTTPException) -> Response:
        kind = _BODY_ERRORS.get(error.status_code, NotServed)
        body = _error_body(request, kind(str(error.detail)))
        return Json(body, status_code=error.status_code, headers=error.headers)


def _error_body(request: Request, error: GatewayError) -> bytes:
    return openai_error(error, request.scope["state"]["request_id"])


def _add_models(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/v1/models", tags=["OpenAI"], summary="The Models that this key may use")
    async def models(request: Request) -> Response:
        caller = _admit(gateway, request)
        visible = [route for route in gateway.table.all() if caller.may_use(route.model)]
        return Json({"object": "list", "data": [_card(route) for route in visible]})

    @app.get("/v1/models/{name}", tags=["OpenAI"], summary="One Model")
    async def model(request: Request, name: str) -> Response:
        _admit(gateway, request).check(name)
        route = gateway.table.get(name)
        if route is None:
            if not gateway.table.loaded:
                raise NoCapacity("the routes are not known yet; try again in a few seconds")
            raise UnknownModel(name)
        return Json(_card(route))

    @app.get("/metadata", tags=["LLM service"], summary="Facts about the default Model")
    async def metadata(request: Request) -> Response:
        caller = _admit(gateway, request)
        route = gateway.table.default(Task.TEXT_GENERATION)
        if route is None:
            raise NoCapacity("no default Model serves text generation; set spec.default on one")
        caller.check(route.model)
        return Json(_facts(route))


def _add_health(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/health", tags=["Operations"], summary="The process is alive")
    async def health() -> Response:
        return Json({"status": "ok", "gateway": gateway.settings.slot})

    @app.get("/ready", tags=["Operations"], summary="The process knows its routes and takes calls")
    async def ready() -> Response:
        is_ready = gateway.table.loaded and not gateway.draining
        body = {
            "ready": is_ready,
            "draining": gateway.draining,
            "routesLoaded": gateway.table.loaded,
            "routesRevision": gateway.table.revision,
            "fenced": gateway.is_fenced(),
            "gateway": gateway.settings.slot,
        }
        return Json(body, status_code=200 if is_ready else 503)


def _add_metrics(app: FastAPI, gateway: Gateway) -> None:
    async def metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        asked = request.query_params.get("format") == "json"
        if asked or "application/json" in accept:
            return Json(gateway.metrics.summary())
        return Response(await gateway.metrics.text(), media_type=CONTENT_TYPE)

    summary = "Prometheus text, or JSON with Accept: application/json or ?format=json"
    app.get("/metrics", tags=["Operations"], summary=summary)(metrics)
    app.get("/metrics/prometheus", tags=["Operations"], summary="The same")(metrics)


def _admit(gateway: Gateway, request: Request) -> Caller:
    scope = request.scope
    head = read_head(scope["headers"])
    caller = admit(gateway.keys, head, scope.get("client"), time.monotonic())
    caller.check_route(scope["route"].path)
    return caller


def _card(route: ModelRoute | Route) -> dict[str, Any]:
    return {
        "id": route.model,
        "object": "model",
        "created": 0,
        "owned_by": "slipway",
        "max_model_len": route.max_model_len,
    }


def _facts(route: Route) -> dict[str, Any]:
    return {
        "model_name": route.model,
        "task": route.task.value,
        "versions": [
            {"version": b.version, "weight": b.weight, "role": b.role} for b in route.backends
        ],
        "max_model_len": route.max_model_len,
        "generation_defaults": {
            "max_new_tokens": route.generation_defaults.max_tokens,
            "temperature": route.generation_defaults.temperature,
            "top_p": route.generation_defaults.top_p,
        },
        "routes_revision": route.revision,
    }
