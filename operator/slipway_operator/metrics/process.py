"""What the operator counts of its own work, from the catalogue in the contracts; no globals.

Labels are bounded: phases, reasons and kinds of errors, never names of objects. Gauges of the world
are counted when somebody asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from slipway_contracts.conditions import Phase, Reason
from slipway_contracts.metrics import operator as names
from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.model_version import Outcome
from slipway_operator.metrics.lifecycle import Lifecycle
from slipway_telemetry.client import Source, client_counter, client_histogram
from slipway_telemetry.families import Family

Census = Callable[[], Mapping[str, int]]
# A series that begins with its first event has no increase, so the ends that wake somebody are
# there from the start.
_WATCHED_ENDS = (
    (Phase.ROLLED_BACK, Reason.ANALYSIS_FAILED),
    (Phase.ROLLED_BACK, Reason.GUARD_TRIPPED),
    (Phase.ROLLED_BACK, Reason.UNDECIDED),
    (Phase.ROLLED_BACK, Reason.ERROR_BUDGET_SPENT),
    (Phase.ROLLED_BACK, Reason.BACKEND_LOST),
    (Phase.REJECTED, Reason.GATE_FAILED),
    (Phase.FAILED, Reason.TRAINING_FAILED),
    (Phase.FAILED, Reason.EVALUATION_ERROR),
    (Phase.FAILED, Reason.STARTUP_FAILED),
    (Phase.SUPERSEDED, Reason.SUPERSEDED),
)


class Metrics:
    """Counts of this process. Also ``reconcile.Meter`` and ``watch.Heard``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lifecycle = Lifecycle()
        self.registry.register(Source(self.lifecycle.families))
        ProcessCollector(registry=self.registry)
        self._passes = client_histogram(names.RECONCILE, self.registry)
        self._errors = client_counter(names.RECONCILE_ERRORS, self.registry)
        self._outcomes = client_counter(names.ROLLOUT_OUTCOMES, self.registry)
        for phase, reason in _WATCHED_ENDS:
            self._outcomes.labels(phase.value, reason.value)
        self._restarts = client_counter(names.WATCH_RESTARTS, self.registry)
        self._running: dict[str, float] = {}

    def began(self, model: str) -> None:
        """A pass over a Model begins."""
        self._running[model] = time.monotonic()

    def ended(self, model: str, error: str) -> None:
        """It ended; ``error`` is the kind of what went wrong, or empty."""
        self._passes.observe(time.monotonic() - self._running.pop(model))
        if error and error != "cancelled":
            self._errors.labels(error).inc()

    def restarted(self, why: str) -> None:
        """The watches were opened anew."""
        self._restarts.labels(why).inc()

    def outcome(self, outcome: Outcome) -> None:
        """An attempt ended."""
        self._outcomes.labels(outcome.phase.value, outcome.reason.value).inc()

    def longest_pass(self) -> float:
        """Seconds since the oldest pass that still runs began; 0 where none runs."""
        return time.monotonic() - min(self._running.values(), default=time.monotonic())

    def gauge(self, metric: MetricName, census: Census) -> None:
        """Ask ``census`` at every scrape: label value → number ("" where there are no labels)."""

        def tell() -> tuple[Family, ...]:
            samples = [((v,) if metric.of else (), float(n)) for v, n in census().items()]
            return (Family(metric=metric, samples=samples),)

        self.registry.register(Source(tell))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
