"""What is measured of one operator: the first reconcile, a restart, and events at a steady rate.

Each phase waits for the API server's own word (the watch of statuses, counts of children), never
for the operator's. A phase that does not come to its end raises, it is not left out.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.operator.cluster import NAMESPACE
from benchmarks.operator.population import Population, version_name
from benchmarks.operator.systems import Running, Writes, effects

OF_A_MODEL = "labelSelector=slipway.dev/model"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs?{OF_A_MODEL}"
RECORDS = f"/api/v1/namespaces/{NAMESPACE}/configmaps?{OF_A_MODEL}"
QUIET_SECONDS = 4.0
QUIET_CPU = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much, and for how long a phase may take."""

    versions: int
    models: int
    events: int
    rate: float
    idle_seconds: float
    patience_seconds: float
    seed: int = 4


@dataclass(slots=True, kw_only=True)
class Measured:
    """Everything that is known of one operator at the end."""

    objects_per_second: float = 0.0
    reconciled_seconds: float = 0.0
    settled_seconds: float = 0.0
    first_writes: Counter[str] = field(default_factory=Counter)
    first_passes: int | None = None
    restart_writes: Counter[str] = field(default_factory=Counter)
    restart_passes: int | None = None
    event_writes: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    elsewhere: dict[str, float] = field(default_factory=dict)
    peak_mib: float = 0.0

    def wire(self) -> dict[str, Any]:
        """For the JSON line."""
        return {
            "objects_per_second": round(self.objects_per_second, 1),
            "reconciled_seconds": round(self.reconciled_seconds, 1),
            "settled_seconds": round(self.settled_seconds, 1),
            "first_passes": self.first_passes,
            "restart_writes": effects(self.restart_writes),
            "restart_passes": self.restart_passes,
            "event_p50_seconds": round(quantile(self.latencies, 0.50), 3),
            "event_p99_seconds": round(quantile(self.latencies, 0.99), 3),
            "events": len(self.latencies),
            "cpu_seconds": {phase: round(value, 1) for phase, value in self.cpu_seconds.items()},
            "cpu_elsewhere": {phase: round(value, 2) for phase, value in self.elsewhere.items()},
            "peak_rss_mib": round(self.peak_mib),
            "writes": {
                "first": dict(self.first_writes),
                "restart": dict(self.restart_writes),
                "events": dict(self.event_writes),
            },
        }


async def first_reconcile(
    running: Running, people: Population, writes: Writes, *, size: Size, into: Measured
) -> None:
    """From the start of the process until the last version has its run and a status, then on until
    each has the artifact of its ended run.
    """
    writes.since()
    async with asyncio.timeout(size.patience_seconds):
        await _guarded(running, people.until(lambda: all(s.generation for s in _all(people, size))))
        into.reconciled_seconds = time.monotonic() - running.started
        await _guarded(running, people.until(lambda: all(s.artifact for s in _all(people, size))))
        into.settled_seconds = time.monotonic() - running.started
        into.objects_per_second = size.versions / into.reconciled_seconds
    into.cpu_seconds["first"] = running.cpu_seconds()
    await _quiet(running, size)
    into.first_writes, into.first_passes = writes.since(), running.passes()
    jobs, records = await people.children(JOBS), await people.children(RECORDS)
    if (jobs, records) != (size.versions, size.versions):
        raise RuntimeError(f"{size.versions} versions have {jobs} Jobs and {records} ConfigMaps")


async def restart(running: Running, writes: Writes, *, size: Size, into: Measured) -> None:
    """Nothing changed while it was away: what does it write in its first while?

    Where it counts its passes, it must have made one over each Model in that time.
    """
    await asyncio.to_thread(running.await_ready, size.patience_seconds)
    await _quiet(running, size)
    await asyncio.sleep(size.idle_seconds)
    into.restart_passes = running.passes()
    if into.restart_passes is not None and into.restart_passes < size.models:
        raise RuntimeError(f"it has looked at {into.restart_passes} of {size.models} Models only")
    into.cpu_seconds["restart"] = running.cpu_seconds()
    into.restart_writes = writes.since()


async def events(
    running: Running, people: Population, writes: Writes, *, size: Size, into: Measured
) -> None:
    """Edits of specs by a timetable, whether or not the earlier ones were answered."""
    before = running.cpu_seconds()
    names = [version_name(number) for number in range(size.versions)]
    random.Random(size.seed).shuffle(names)
    began = time.monotonic()
    async with asyncio.timeout(size.patience_seconds), asyncio.TaskGroup() as tasks:
        edits = []
        for number in range(size.events):
            await asyncio.sleep(max(0.0, began + number / size.rate - time.monotonic()))
            turn, place = divmod(number, len(names))
            state = "Active" if turn % 2 else "Paused"
            edits.append(tasks.create_task(people.edit(names[place], state=state)))
    into.latencies = [edit.result() for edit in edits]
    into.cpu_seconds["events"] = running.cpu_seconds() - before
    into.event_writes = writes.since()


def quantile(values: list[float], share: float) -> float:
    """The nearest value of which so much of them is at most as large."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _all(people: Population, size: Size) -> list[Any]:
    seen = list(people.seen.values())
    return seen if len(seen) == size.versions else [Missing]


class Missing:
    """A version that the watch has not told of."""

    generation = 0
    artifact = False


async def _guarded(running: Running, waiting: Any) -> None:
    """Wait, unless the operator is dead."""
    task = asyncio.ensure_future(waiting)
    try:
        while not (await asyncio.wait([task], timeout=1.0))[0]:
            running.check()
        task.result()
    finally:
        task.cancel()


async def _quiet(running: Running, size: Size) -> None:
    """Until it has caught up with what its own writes and the runs' ends told it."""
    async with asyncio.timeout(size.patience_seconds):
        while True:
            before = running.cpu_seconds()
            await asyncio.sleep(QUIET_SECONDS)
            if (running.cpu_seconds() - before) / QUIET_SECONDS < QUIET_CPU:
                return
