"""What the gate shows at a scrape: who waits, how much each version is given, who is left alone.

Read from the live objects, for the backends that routes name now; nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from slipway_contracts.metrics import gateway as names
from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.route import ModelRoute
from slipway_gateway.overload.gate import Gate
from slipway_telemetry.bounded import Names
from slipway_telemetry.families import Family, fitted

Counts = list[tuple[tuple[str, ...], float]]


class LoadFigures:
    """``routes``: those that are applied now."""

    def __init__(self, gate: Gate, routes: Callable[[], Iterable[ModelRoute]]) -> None:
        self._gate = gate
        self._routes = routes

    def families(self) -> Iterator[Family]:
        """For the page."""
        waiting, limit, refusals, is_open = Counts(), Counts(), Counts(), Counts()
        lines = self._gate.queues.lines()
        for labels, url in self._backends():
            line = lines.get(url)
            if line is not None:
                waiting.append((labels, line.waiting))
                limit.append((labels, line.capacity))
                for why, count in line.refused.items():
                    refusals.append(((*labels, why.value), count))
            refusals.append(((*labels, "circuit"), self._gate.shut.get(url, 0)))
            is_open.append((labels, self._gate.breakers.is_open(url)))
        yield _family(names.QUEUE_WAITING, waiting)
        yield _family(names.CONCURRENCY_LIMIT, limit)
        yield _family(names.QUEUE_REFUSED, refusals)
        yield _family(names.CIRCUIT_OPEN, is_open)

    def _backends(self) -> Iterator[tuple[tuple[str, str], str]]:
        for route in self._routes():
            for backend in route.backends:
                yield (route.model, backend.version), backend.url


def _family(metric: MetricName, counts: Counts) -> Family:
    return fitted(metric, counts, Names(), merge=lambda one, other: one + other)
