"""What every exchange of the process shares. Made once, by the composition root."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slipway_contracts.model import GenerationDefaults, Task
from slipway_gateway import routing
from slipway_gateway.cache import AnswerCache
from slipway_gateway.control.route import Backend, Route
from slipway_gateway.control.table import RouteTable
from slipway_gateway.dialects.base import Dialect
from slipway_gateway.errors import NoCapacity, SchemaViolation, UnknownModel
from slipway_gateway.guard import Guard
from slipway_gateway.hotpath.bounds import Bounds
from slipway_gateway.hotpath.deadlines import Deadlines
from slipway_gateway.hotpath.head import Head, RequestIds
from slipway_gateway.hotpath.known import KnownRequest, Shape
from slipway_gateway.hotpath.pool import Upstream
from slipway_gateway.hotpath.record import Journal
from slipway_gateway.hotpath.shadow import Shadows
from slipway_gateway.metrics.traffic import Traffic
from slipway_gateway.overload.gate import Gate
from slipway_gateway.tenants.keys import Keys
from slipway_gateway.tenants.limits import Limits
from slipway_gateway.tracing import RequestTrace
from slipway_telemetry.tracing import Tracer

_DEFAULTS = GenerationDefaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class HotPath:
    """``dialects``: by dispatched path. ``paths``: of the targets that are plain paths, by their
    bytes. ``heads``: of requests that were parsed before. ``heard``: monotonic seconds of
    PostgreSQL's last answer. ``tracer``: None: no spans."""

    bounds: Bounds
    ids: RequestIds
    dialects: Mapping[str, Dialect]
    paths: Mapping[bytes, str]
    heads: dict[bytes, tuple[Shape, KnownRequest]]
    table: RouteTable
    keys: Keys
    limits: Limits
    gate: Gate
    cache: AnswerCache
    guard: Guard
    heard: Callable[[], float]
    journal: Journal
    upstream: Upstream
    shadows: Shadows
    deadlines: Deadlines
    traffic: Traffic
    tracer: Tracer | None = None

    def is_fenced(self) -> bool:
        """PostgreSQL is away for too long: nothing goes to candidates."""
        return self._fenced_at(time.monotonic())

    def _fenced_at(self, now: float) -> bool:
        return routing.is_fenced(now, self.heard())

    def trace(self, head: Head, path: str, request_id: str) -> RequestTrace | None:
        """The spans of a request whose head has come."""
        tracer = self.tracer
        return None if tracer is None else RequestTrace(tracer, head, path, request_id)

    def route_of(self, model: str, task: Task) -> Route:
        """Raises UnknownModel, NoCapacity before the first routes came, or SchemaViolation."""
        route = self.table.get(model)
        if route is None:
            if not self.table.loaded:
                raise NoCapacity("the routes are not known yet; try again in a few seconds")
            raise UnknownModel(model)
        if route.task is not task:
            raise SchemaViolation(f"the model {model} is for {route.task.value}", param="model")
        return route

    def choose(self, route: Route, unit: str, now: float) -> Backend | None:
        """The backend of this unit at ``now``, monotonic seconds."""
        guard = route.guard
        tripped = guard is not None and self.guard.is_tripped(route.model, guard.rollout_id)
        return routing.choose(route, unit, fenced=self._fenced_at(now), tripped=tripped)

    def defaults(self, route: Route | None) -> GenerationDefaults:
        """What fills the gaps of a legacy request."""
        return _DEFAULTS if route is None else route.generation_defaults
