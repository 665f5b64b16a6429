"""What the gate shows at a scrape: who waits, how much each version is given, who is left alone.

Read from the live objects, for the backends that routes name now; nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from slipway_contracts.metrics import gateway as names
from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.route import ModelRoute
from slipway_gateway.overload.gate import Gate


class LoadFigures(Collector):
    """Register it. ``routes``: those that are applied now."""

    def __init__(self, gate: Gate, routes: Callable[[], Iterable[ModelRoute]]) -> None:
        self._gate = gate
        self._routes = routes

    def collect(self) -> Iterator[Any]:
        """For prometheus_client, at a scrape."""
        waiting = _gauge(names.QUEUE_WAITING)
        limit = _gauge(names.CONCURRENCY_LIMIT)
        is_open = _gauge(names.CIRCUIT_OPEN)
        refused = names.QUEUE_REFUSED
        refusals = CounterMetricFamily(refused.name, refused.help, labels=refused.labels)
        lines = self._gate.queues.lines()
        for labels, url in self._backends():
            line = lines.get(url)
            if line is not None:
                waiting.add_metric(labels, line.waiting)
                limit.add_metric(labels, line.capacity)
                for why, count in line.refused.items():
                    refusals.add_metric((*labels, why.value), count)
            refusals.add_metric((*labels, "circuit"), self._gate.shut.get(url, 0))
            is_open.add_metric(labels, self._gate.breakers.is_open(url))
        yield from (waiting, limit, refusals, is_open)

    def _backends(self) -> Iterator[tuple[tuple[str, str], str]]:
        for route in self._routes():
            for backend in route.backends:
                yield (route.model, backend.version), backend.url


def _gauge(name: MetricName) -> GaugeMetricFamily:
    return GaugeMetricFamily(name.name, name.help, labels=name.labels)
