"""What the operator counts, from the catalogue in the contracts; one registry, no globals.

Labels are bounded: phases, reasons and kinds of errors, never names of objects. Gauges of the world
are counted when somebody asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from slipway_contracts.metrics import operator as names
from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.model_version import Outcome

Census = Callable[[], Mapping[str, int]]


class Metrics:
    """Counts of this process. Also ``reconcile.Meter`` and ``watch.Heard``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        passes = names.RECONCILE
        self._passes = Histogram(
            passes.name, passes.help, buckets=passes.buckets, registry=self.registry
        )
        self._errors = _counter(names.RECONCILE_ERRORS, self.registry)
        self._outcomes = _counter(names.ROLLOUT_OUTCOMES, self.registry)
        self._restarts = _counter(names.WATCH_RESTARTS, self.registry)
        self._running: dict[str, float] = {}

    def began(self, model: str) -> None:
        """A pass over a Model begins."""
        self._running[model] = time.monotonic()

    def ended(self, model: str, error: str) -> None:
        """It ended; ``error`` is the kind of what went wrong, or empty."""
        self._passes.observe(time.monotonic() - self._running.pop(model))
        if error:
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
        self.registry.register(_Gauge(metric, census))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


class _Gauge(Collector):
    def __init__(self, metric: MetricName, census: Census) -> None:
        self._metric = metric
        self._census = census

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For prometheus_client."""
        metric = self._metric
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for value, number in self._census().items():
            family.add_metric((value,) if metric.labels else (), number)
        yield family


def _counter(metric: MetricName, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, metric.labels, registry=registry)
