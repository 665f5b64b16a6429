"""OpenTelemetry traces, by option: spans by OTLP/HTTP, as the standard ``OTEL_*`` settings say.

Off unless an endpoint is set; off, nothing of OpenTelemetry is imported. On, spans wait in a
bounded queue for a thread that delivers them: a collector that is away costs spans, not requests.
The packages are the extra ``slipway-telemetry[traces]``; a process without them says so and
goes on. Spans carry names and numbers, never texts: of an error its type.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic_settings import BaseSettings, SettingsConfigDict

from slipway_telemetry.line import VALUE_LIMIT, Service
from slipway_telemetry.trace import CURRENT, TraceContext

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan

logger = logging.getLogger(__name__)

PROTOCOL = "http/protobuf"
PACKAGES = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
Attributes = Mapping[str, str | int | float | bool | None]


class TracingSettings(BaseSettings):
    """What decides here; OpenTelemetry reads the others itself (sampler, headers, timeouts)."""

    model_config = SettingsConfigDict(
        env_prefix="OTEL_", extra="ignore", frozen=True, env_ignore_empty=True
    )

    sdk_disabled: bool = False
    traces_exporter: str = "otlp"
    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    exporter_otlp_protocol: str = PROTOCOL
    exporter_otlp_traces_protocol: str | None = None

    @property
    def wanted(self) -> bool:
        """Somebody is to receive traces."""
        endpoint = self.exporter_otlp_traces_endpoint or self.exporter_otlp_endpoint
        return bool(endpoint) and not self.sdk_disabled and self.traces_exporter != "none"

    def wrong(self) -> str:
        """Why that cannot be had; empty where it can."""
        if self.traces_exporter != "otlp":
            return f"OTEL_TRACES_EXPORTER is {self.traces_exporter}; set it to otlp or none"
        protocol = self.exporter_otlp_traces_protocol or self.exporter_otlp_protocol
        if protocol != PROTOCOL:
            return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; set it to {PROTOCOL}"
        return ""


class Kind(StrEnum):
    """Whose side of a call a span is."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


class Span:
    """One span; ``context`` is what its children and the next process are told."""

    __slots__ = ("_span", "context")

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        found = span.get_span_context()
        self.context = TraceContext(
            trace_id=f"{found.trace_id:032x}",
            span_id=f"{found.span_id:016x}",
            sampled=found.trace_flags.sampled,
            state=found.trace_state.to_header(),
        )

    def rename(self, name: str) -> None:
        """When what it is about is known."""
        self._span.update_name(name)

    def tell(self, attributes: Attributes) -> None:
        """Further attributes; None is none."""
        if self._span.is_recording():
            self._span.set_attributes({k: v for k, v in attributes.items() if v is not None})

    def end(self, *, error: str | None = None) -> None:
        """``error``: the type of what went wrong. Ending twice is ending once."""
        if self._span.is_recording():
            if error is not None:
                from opentelemetry.trace import StatusCode

                self._span.set_attribute("error.type", error)
                self._span.set_status(StatusCode.ERROR)
            self._span.end()


class Tracer:
    """Makes spans and sees to their delivery. One a process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("slipway")

    def begin(
        self,
        name: str,
        kind: Kind,
        *,
        parent: TraceContext | Span | None = None,
        attributes: Attributes | None = None,
    ) -> Span:
        """A span that somebody will end. A remote parent decides whether it is sampled."""
        from opentelemetry.trace import SpanKind

        given = {k: v for k, v in (attributes or {}).items() if v is not None}
        span = self._tracer.start_span(
            name, context=_context(parent), kind=SpanKind[kind], attributes=given
        )
        return Span(span)

    @contextmanager
    def during(
        self,
        name: str,
        kind: Kind,
        *,
        parent: TraceContext | Span | None = None,
        attributes: Attributes | None = None,
    ) -> Iterator[Span]:
        """A span around what the running task does; log lines of it carry its ids."""
        span = self.begin(name, kind, parent=parent, attributes=attributes)
        token = CURRENT.set(span.context)
        error: str | None = None
        try:
            yield span
        except BaseException as problem:
            error = type(problem).__name__
            raise
        finally:
            CURRENT.reset(token)
            span.end(error=error)

    def stop(self, seconds: float = 3.0) -> None:
        """Deliver what waits, if that can be done in this time."""
        # Its own limit is 30 s, and an exporter that tries again knows none.
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(seconds)


def open_tracing(service: Service, settings: TracingSettings | None = None) -> Tracer | None:
    """The process's tracer; None where traces are not wanted or cannot be had (that is logged)."""
    try:
        found = TracingSettings() if settings is None else settings
        if not found.wanted:
            return None
        if problem := found.wrong():
            logger.error("no traces: %s", problem)
            return None
        provider = _provider(service)
    except ImportError as error:
        logger.error(
            "no traces: an OTLP endpoint is set, but %s is not installed; install %s "
            "(slipway-telemetry[traces]) or unset the endpoint",
            error.name,
            PACKAGES,
        )
        return None
    except ValueError as error:
        logger.error("no traces: an OTEL_ setting is wrong: %s", error)
        return None
    return Tracer(provider)


def _provider(service: Service) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    own = Resource({"service.namespace": "slipway", "service.name": f"slipway-{service}"})
    provider = TracerProvider(
        # What the environment says of the process goes before what we know.
        resource=own.merge(OTELResourceDetector().detect()),
        span_limits=SpanLimits(max_attribute_length=VALUE_LIMIT),
        # ``stop`` is called by who ends the process, with a limit.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _context(parent: TraceContext | Span | None) -> Context:
    from opentelemetry import trace
    from opentelemetry.context import Context

    if parent is None:
        return Context()
    if isinstance(parent, Span):
        return trace.set_span_in_context(parent._span, Context())
    remote = trace.SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(parent.sampled)),
        trace_state=trace.TraceState.from_header([parent.state] if parent.state else []),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())
