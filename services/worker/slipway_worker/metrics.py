"""The process's metrics, from the catalogue in the contracts; one registry a process.

No globals. Every worker tells the whole queue, so a scaler takes the highest, never the sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from slipway_contracts.metrics import worker as names
from slipway_store.jobs import Depth
from slipway_worker.outcome import Again, GivenUp, Outcome, Stored


class Metrics:
    """What this worker counts, and what it last saw of the queue."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        self._kinds = tuple(kinds)
        self._jobs = Gauge(
            names.JOBS.name, names.JOBS.help, names.JOBS.labels, registry=self.registry
        )
        self._oldest = Gauge(
            *(names.JOBS_OLDEST.name, names.JOBS_OLDEST.help, names.JOBS_OLDEST.labels),
            registry=self.registry,
        )
        self._runs = Counter(
            *(names.JOB_RUNS.name, names.JOB_RUNS.help, names.JOB_RUNS.labels),
            registry=self.registry,
        )
        self._seconds = Histogram(
            *(names.JOB_SECONDS.name, names.JOB_SECONDS.help, names.JOB_SECONDS.labels),
            buckets=names.JOB_SECONDS.buckets,
            registry=self.registry,
        )
        self.connected = Gauge(
            names.WORKER_CONNECTED.name, names.WORKER_CONNECTED.help, registry=self.registry
        )
        self.saw([])

    def ran(self, kind: str, outcome: Outcome, seconds: float) -> None:
        """One run of a job."""
        self._runs.labels(kind, _word(outcome)).inc()
        self._seconds.labels(kind).observe(seconds)

    def saw(self, depths: Iterable[Depth]) -> None:
        """The queue as it is; a kind without jobs has zeros."""
        found = {kind: Depth(kind=kind) for kind in self._kinds}
        found |= {depth.kind: depth for depth in depths}
        for kind, depth in found.items():
            self._jobs.labels(kind, "waiting").set(depth.waiting)
            self._jobs.labels(kind, "delayed").set(depth.delayed)
            self._jobs.labels(kind, "running").set(depth.running)
            self._jobs.labels(kind, "dead").set(depth.dead)
            self._oldest.labels(kind).set(depth.oldest_seconds)
        self._kinds = tuple(found)

    def text(self) -> bytes:
        """Prometheus text."""
        return generate_latest(self.registry)


def _word(outcome: Outcome) -> str:
    match outcome:
        case Stored():
            return "done"
        case Again(counts=False):
            return "later"
        case Again():
            return "failed"
        case GivenUp():
            return "dead"
        case _:
            assert_never(outcome)
