"""``make bench-operator``: our operator and a stock Kopf operator, one after the other, one run.

Each gets a fresh control plane (real etcd, API server, scheduler, Job controller; KWOK nodes) with
the same Models and ModelVersions in it. The effects are the same: for each version one ConfigMap
with the run's input, one Job, a status that says so; when the run has ended, its outcome in the
ConfigMap and the artifact in the status. Measured: versions a second until all have a run and a
status, writes after a restart with nothing changed, seconds from a spec edit's answer to the status
that is about it, CPU time, peak memory.

Prints a table; the last line is one JSON object. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.operator import phases, report
from benchmarks.operator.cluster import Cluster, cluster
from benchmarks.operator.phases import Measured, Size
from benchmarks.operator.population import Population, population
from benchmarks.operator.systems import Launch, Machine, Running, Writes, slipway, stock_kopf

from slipway_store import embedded

Launcher = Callable[[Cluster], Launch]


async def measure(launcher: Launcher, folder: Path, size: Size) -> Measured:
    """One operator on a cluster of its own."""
    measured = Measured()
    with cluster(folder / "cluster") as made:
        launch, writes = launcher(made), Writes(made.audit_log)
        async with population(made.plane) as people:
            await people.fill(versions=size.versions, models=size.models)
            log = folder / "operator.log"
            life = Life(cluster=made, launch=launch, log=log, people=people, writes=writes)
            await life.live(size, measured)
    return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Start, reconcile, restart, follow events."""

    cluster: Cluster
    launch: Launch
    log: Path
    people: Population
    writes: Writes
    machine: Machine = field(default_factory=Machine)

    async def live(self, size: Size, into: Measured) -> None:
        people, writes = self.people, self.writes
        running = self._start()
        try:
            await phases.first_reconcile(running, people, writes, size=size, into=into)
            into.elsewhere["first"] = self._elsewhere(running)
            into.peak_mib = running.peak_mib()
            running.stop()
            writes.since()
            running = self._start()
            await phases.restart(running, writes, size=size, into=into)
            into.elsewhere["restart"] = self._elsewhere(running)
            await phases.events(running, people, writes, size=size, into=into)
            into.elsewhere["events"] = self._elsewhere(running)
            into.peak_mib = max(into.peak_mib, running.peak_mib())
        finally:
            running.stop()

    def _start(self) -> Running:
        self.machine.elsewhere([*self.cluster.pids, os.getpid()])
        return Running(self.launch, self.log)

    def _elsewhere(self, running: Running) -> float:
        return self.machine.elsewhere([*self.cluster.pids, running.process.pid, os.getpid()])


def run(size: Size, folder: Path) -> dict[str, Measured]:
    """Both, ours first."""
    dsn = embedded.start(folder / "postgres")
    try:
        launchers: dict[str, Launcher] = {
            "slipway": lambda made: slipway(made, folder / "slipway", dsn),
            "stock_kopf": stock_kopf,
        }
        return {
            name: asyncio.run(measure(launcher, folder / name, size))
            for name, launcher in launchers.items()
        }
    finally:
        embedded.stop(folder / "postgres")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=2000)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--events", type=int, default=600, help="spec edits")
    parser.add_argument("--rate", type=float, default=20.0, help="spec edits a second")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds watched after a restart")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds a phase may take")
    parser.add_argument("--keep", type=Path, help="a folder that does not exist: keep logs there")
    options = parser.parse_args()
    size = Size(
        versions=options.versions,
        models=options.models,
        events=options.events,
        rate=options.rate,
        idle_seconds=options.idle,
        patience_seconds=options.patience,
    )
    if options.keep is not None:
        options.keep.mkdir(parents=True)
        measured = run(size, options.keep.resolve())
    else:
        # Not the default folder: its parents may be closed to the user that root runs PostgreSQL as
        with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
            measured = run(size, Path(name))
    result = report.result(measured, size, cores=os.cpu_count() or 1)
    report.show(result)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
