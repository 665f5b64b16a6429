"""The spans of a request: one of the gateway's own, and one an attempt below it.

Only made where the process has a tracer. Without one a client's ``traceparent`` goes to the engine
as it came, and none is invented. Spans carry names, ids and counts, never what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slipway_gateway.errors import GatewayError
from slipway_gateway.outcome import Observed
from slipway_telemetry.trace import CURRENT, TraceContext, read_trace
from slipway_telemetry.tracing import Kind, Span, Tracer

if TYPE_CHECKING:
    from slipway_gateway.control.route import Backend
    from slipway_gateway.hotpath.head import Head
    from slipway_gateway.hotpath.record import Subject

# What answers probes and scrapes is nobody's request.
TRACED = ("/v1/", "/api/", "/admin/")


class RequestTrace:
    """Make one when a request's head is read; ``end`` it once."""

    __slots__ = ("_attempt", "_path", "_server", "_tracer")

    def __init__(self, tracer: Tracer, head: Head, path: str, request_id: str) -> None:
        self._tracer = tracer
        self._path = path
        self._attempt: Span | None = None
        self._server = tracer.begin(
            f"POST {path}",
            Kind.SERVER,
            parent=read_trace(head.traceparent, head.tracestate),
            attributes={
                "http.request.method": "POST",
                "http.route": path,
                "slipway.request_id": request_id,
            },
        )

    def attempt(self, subject: Subject, backend: Backend, number: int) -> bytes:
        """A backend is about to be asked; header lines for it."""
        self._server.tell(
            {"slipway.model": subject.route.model, "slipway.tenant": subject.caller.tenant or None}
        )
        at = urlsplit(backend.url)
        self._attempt = self._tracer.begin(
            f"POST {subject.ask.path}",
            Kind.CLIENT,
            parent=self._server,
            attributes={
                "http.request.method": "POST",
                "server.address": at.hostname,
                "server.port": at.port,
                "slipway.model": subject.route.model,
                "slipway.version": backend.version,
                "slipway.role": backend.role,
                "slipway.attempt": number,
                "slipway.request_id": subject.request_id,
            },
        )
        lines = self._attempt.context.headers().items()
        return b"".join(f"{name}: {value}\r\n".encode("ascii") for name, value in lines)

    def failed(self, error: GatewayError) -> None:
        """The attempt gave no answer."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.end(error=type(error).__name__)

    def end(self, status: int, version: str, seen: Observed) -> None:
        """The client has its answer, or is gone."""
        told = {
            "http.response.status_code": status,
            "gen_ai.usage.input_tokens": seen.prompt_tokens,
            "gen_ai.usage.output_tokens": seen.completion_tokens,
        }
        error = str(status) if status >= 500 else None
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.tell(told)
            attempt.end(error=error)
        self._server.tell({**told, "slipway.version": version})
        self._server.end(error=error)

    @property
    def context(self) -> TraceContext:
        """Of the gateway's own span."""
        return self._server.context


def logged(request_id: str, trace: RequestTrace | None) -> dict[str, str]:
    """What a log line says of a request."""
    found = {"request_id": request_id}
    if trace is not None:
        found |= {"trace_id": trace.context.trace_id, "span_id": trace.context.span_id}
    return found


class ColdTraces:
    """Spans of what is answered by the web framework: an ASGI application around it."""

    def __init__(self, app: Any, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith(TRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        given = {"http.request.method": method}
        parent = _parent(scope["headers"])
        with self._tracer.during(method, Kind.SERVER, parent=parent, attributes=given) as span:

            async def told(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.tell({"http.response.status_code": message["status"]})
                await send(message)

            try:
                await self._app(scope, receive, told)
            finally:
                # Known once the request was routed; a path with ids in it is no name.
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.rename(f"{method} {route}")
                    span.tell({"http.route": route})


def trace_now(headers: Mapping[str, str]) -> str:
    """``traceparent`` for what a request leaves to be done later: our span, else the client's."""
    now = CURRENT.get() or read_trace(headers.get("traceparent"))
    return "" if now is None else now.parent_header()


def _parent(headers: list[tuple[bytes, bytes]]) -> TraceContext | None:
    parents = [value.decode("latin-1") for name, value in headers if name == b"traceparent"]
    states = [value.decode("latin-1") for name, value in headers if name == b"tracestate"]
    return read_trace(parents[0], ",".join(states)) if len(parents) == 1 else None
