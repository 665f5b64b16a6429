"""The catalogue's metrics in prometheus_client's registry, for processes whose pages are short.

``Source`` tells families at every scrape; the others count where something happens. Import it only
with the extra ``metrics`` installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from slipway_contracts.metrics.kinds import MetricName
from slipway_telemetry.buckets import Buckets
from slipway_telemetry.families import Family


def only_the_catalogue() -> None:
    """At a process's start: no ``_created`` series, which nobody reads, beside every counter."""
    disable_created_metrics()  # type: ignore[no-untyped-call]


class Source(Collector):
    """Registers what a function tells at every scrape."""

    def __init__(self, tell: Callable[[], Iterable[Family]]) -> None:
        self._tell = tell

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client."""
        return map(of_client, self._tell())


def of_client(family: Family) -> Metric:
    """As prometheus_client has it."""
    name = family.metric
    made = Metric(name.name.removesuffix("_total"), name.help, name.kind)
    for values, value in family.samples:
        labels = dict(zip(name.labels, values, strict=True))
        if isinstance(value, Buckets):
            for bound, reached in value.cumulative():
                made.add_sample(f"{name.name}_bucket", {**labels, "le": bound}, reached)
            made.add_sample(f"{name.name}_count", labels, sum(value.counts))
            made.add_sample(f"{name.name}_sum", labels, value.total)
        else:
            made.add_sample(name.name, labels, value)
    return made


def client_counter(metric: MetricName, registry: CollectorRegistry) -> Counter:
    """A counter that is counted where it happens; closed labels begin at 0.

    A series that begins with its first event has no increase then, so no alert would see it.
    """
    made = Counter(metric.name, metric.help, metric.labels, registry=registry)
    if len(metric.of) == 1:
        for value in metric.of[0].values:
            made.labels(value)
    return made


def client_gauge(metric: MetricName, registry: CollectorRegistry) -> Gauge:
    """A gauge that is set where it is known."""
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)


def client_histogram(metric: MetricName, registry: CollectorRegistry) -> Histogram:
    """A histogram of the catalogue's buckets."""
    return Histogram(
        metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
    )
