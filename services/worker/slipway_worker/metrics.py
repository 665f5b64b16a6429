"""The process's metrics, from the catalogue in the contracts; one registry a process.

No globals. Every worker tells the whole queue, so a scaler takes the highest, never the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from slipway_contracts.metrics import worker as names
from slipway_store.jobs import Depth
from slipway_telemetry.bounded import Names
from slipway_telemetry.client import Source, client_counter, client_gauge, client_histogram
from slipway_telemetry.families import Family, fitted
from slipway_worker.outcome import Again, GivenUp, Outcome, Stored

_BATCH_ENDS = names.BATCH_JOBS.of[0].values


class Metrics:
    """What this worker counts, and what it last saw of the queue.

    ``ended_batches``: how many batches ended here, by status.
    """

    def __init__(
        self, kinds: Iterable[str], *, ended_batches: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        self.registry = CollectorRegistry()
        self._kinds = tuple(kinds)
        self._depths: dict[str, Depth] = {}
        self._ended_batches = ended_batches
        self.registry.register(Source(self._families))
        ProcessCollector(registry=self.registry)
        self._runs = client_counter(names.JOB_RUNS, self.registry)
        self._seconds = client_histogram(names.JOB_SECONDS, self.registry)
        self.connected = client_gauge(names.WORKER_CONNECTED, self.registry)
        for kind in self._kinds:
            for outcome in names.JOB_RUNS.of[1].values:
                self._runs.labels(kind, outcome)
            self._seconds.labels(kind)
        self.saw([])

    def ran(self, kind: str, outcome: Outcome, seconds: float) -> None:
        """One run of a job."""
        self._runs.labels(kind, _word(outcome)).inc()
        self._seconds.labels(kind).observe(seconds)

    def saw(self, depths: Iterable[Depth]) -> None:
        """The queue as it is; a kind without jobs has zeros."""
        # Also of kinds that only other workers know, for as long as this one lives.
        known = dict.fromkeys((*self._kinds, *self._depths))
        self._depths = {kind: Depth(kind=kind) for kind in known}
        self._depths |= {depth.kind: depth for depth in depths}

    def text(self) -> bytes:
        """Prometheus text."""
        return generate_latest(self.registry)

    def _families(self) -> Iterator[Family]:
        depths, kinds = list(self._depths.values()), Names()
        jobs = [
            ((depth.kind, state), float(getattr(depth, state)))
            for depth in depths
            for state in names.JOBS.of[1].values
        ]
        yield fitted(names.JOBS, jobs, kinds, merge=lambda one, other: one + other)
        oldest = [((depth.kind,), depth.oldest_seconds) for depth in depths]
        yield fitted(names.JOBS_OLDEST, oldest, kinds, merge=max)
        ended = self._ended_batches()
        yield Family(
            metric=names.BATCH_JOBS, samples=[((s,), ended.get(s, 0)) for s in _BATCH_ENDS]
        )


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
