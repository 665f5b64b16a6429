"""Jobs a second of our worker beside bare pgqueuer and procrastinate, on one PostgreSQL.

fsync is on. Each system has a database of its own in one server and one worker process, which is
idle when the jobs are stored, all in one transaction; the clock runs from that commit to the last
effect. Rounds are interleaved, and each ratio is the median over rounds of systems that ran one
after the other. A job stores a row, or nothing (where only the queue's own cost is left).

Prints a table; the last line is one JSON object. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from slipway_store import embedded
from slipway_store.migrate import migrate

BARS = {"pgqueuer": 0.8, "procrastinate": 3.0}
EFFECTS = ("row", "none")
# The bars are for jobs that do something; the other is printed, too.
JUDGED = "row"
REPOSITORY = Path(__file__).resolve().parents[1]
PEERS = REPOSITORY / ".venv-bench/bin/python"
QUEUES = REPOSITORY / "benchmarks/peers/queues.py"
POLL = 0.01
WITHIN = 300.0

OURS = """INSERT INTO pgqueuer (priority, entrypoint, payload, status)
    SELECT 0, 'bench:t' || n % 16, '{}', 'queued' FROM generate_series(1, $1::int) n"""
BARE = """INSERT INTO pgqueuer (priority, entrypoint, payload, status)
    SELECT 0, 'bench:acme', '{}', 'queued' FROM generate_series(1, $1::int)"""
PROCRASTINATE = """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT 'default', 'bench', '{}' FROM generate_series(1, $1::int)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One queue: who runs it, how its jobs are stored, which of its tables they lie in."""

    name: str
    python: Path
    store: str
    left: str


SYSTEMS = (
    System(
        name="ours",
        python=Path(sys.executable),
        store=OURS,
        left="SELECT NOT EXISTS (SELECT FROM pgqueuer)",
    ),
    System(
        name="pgqueuer",
        python=Path(sys.executable),
        store=BARE,
        left="SELECT NOT EXISTS (SELECT FROM pgqueuer)",
    ),
    System(
        name="procrastinate",
        python=PEERS,
        store=PROCRASTINATE,
        left="SELECT NOT EXISTS (SELECT FROM procrastinate_jobs)",
    ),
)


class Running:
    """One system's process on its database."""

    def __init__(self, system: System, effect: str, dsn: str, log: Path) -> None:
        self.system, self.effect, self.dsn = system, effect, dsn
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [str(system.python), str(QUEUES), system.name, effect, dsn],
                stdout=out,
                stderr=out,
                env={k: v for k, v in os.environ.items() if not k.startswith("SLIPWAY_")},
            )

    def close(self) -> None:
        """SIGKILL: nothing is measured any more."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    async def burst(self, jobs: int) -> float:
        """Jobs a second of one round."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute("TRUNCATE effects")
            await connection.execute(self.system.store, jobs)
            began = time.perf_counter()
            while not await connection.fetchval(self.system.left):
                if self._process.poll() is not None or time.perf_counter() - began > WITHIN:
                    raise RuntimeError(f"{self.system.name} did not do its {jobs} jobs")
                await asyncio.sleep(POLL)
            took = time.perf_counter() - began
            stored = await connection.fetchval("SELECT count(*) FROM effects")
            if stored != (jobs if self.effect == "row" else 0):
                raise RuntimeError(f"{self.system.name} stored {stored} effects of {jobs}")
            return jobs / took
        finally:
            await connection.close()


async def prepare(server: Path, system: System, effect: str) -> str:
    """A database with the system's own schema; its dsn."""
    name = f"{system.name}_{effect}"
    dsn = embedded.dsn(server / "socket", name)
    admin = await asyncpg.connect(embedded.dsn(server / "socket"))
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    match system.name:
        case "ours":
            await migrate(dsn)
        case "pgqueuer":
            from pgqueuer import Queries

            connection = await asyncpg.connect(dsn)
            await Queries.from_asyncpg_connection(connection).install()
            await connection.close()
        case _:
            code = (
                "import sys, procrastinate as p\n"
                "app = p.App(connector=p.SyncPsycopgConnector(conninfo=sys.argv[1]))\n"
                "with app.open(): app.schema_manager.apply_schema()\n"
            )
            command = [str(system.python), "-c", code, dsn]
            await asyncio.to_thread(subprocess.run, command, check=True)
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE effects (job bigint NOT NULL)")
    await connection.close()
    return dsn


async def measure(
    server: Path, *, rounds: int, jobs: int, say: Callable[[str], None]
) -> dict[str, dict[str, list[float]]]:
    """Jobs a second, by effect and system, one value a round."""
    figures: dict[str, dict[str, list[float]]] = {}
    systems = [system for system in SYSTEMS if system.python.exists()]
    for effect in EFFECTS:
        found = figures[effect] = {system.name: [] for system in systems}
        with ExitStack() as stack:
            running = []
            for system in systems:
                dsn = await prepare(server, system, effect)
                one = Running(system, effect, dsn, server / f"{system.name}.log")
                stack.callback(one.close)
                running.append(one)
            for one in running:
                await one.burst(jobs // 4)
            for number in range(rounds):
                for one in running if number % 2 == 0 else reversed(running):
                    found[one.system.name].append(await one.burst(jobs))
                rates = ", ".join(f"{name} {rates[-1]:,.0f}" for name, rates in found.items())
                say(f"effect {effect}, round {number + 1}: {rates} jobs/s")
    return figures


def report(figures: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """Medians, ratios of pairs, and whether every bar holds."""
    body: dict[str, Any] = {"benchmark": "queue", "bars": BARS}
    missed = []
    for effect, found in figures.items():
        body[f"jobs_per_second_{effect}"] = {
            name: round(statistics.median(rates)) for name, rates in found.items()
        }
        for peer in found.keys() - {"ours"}:
            pairs = zip(found["ours"], found[peer], strict=True)
            ratio = statistics.median(mine / its for mine, its in pairs)
            body[f"ratio_{effect}_{peer}"] = round(ratio, 2)
            if effect == JUDGED and ratio < BARS[peer]:
                missed.append(f"{effect}: {ratio:.2f} × {peer}, wanted {BARS[peer]}")
    return body | {"missed": missed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.queue")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2000, help="a round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-queue-") as folder:
        Path(folder).chmod(0o755)
        server = Path(folder) / "postgres"
        embedded.start(server)
        try:
            figures = asyncio.run(measure(server, rounds=given.rounds, jobs=given.jobs, say=print))
        finally:
            embedded.stop(server)
    body = report(figures)
    print(json.dumps(body))
    return 1 if body["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
