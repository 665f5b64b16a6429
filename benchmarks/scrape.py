"""What a scrape costs a gateway process: CPU, and how long the page takes.

``python -m benchmarks.scrape`` starts the embedded PostgreSQL, a fake engine and one real gateway
process with 1,000 keys (each its own tenant) and 100 Models of two versions each, sends every
version and many tenants some traffic, then reads ``/metrics`` as Prometheus does, over a connection
that is kept. CPU is the process's, less what it uses while nobody scrapes. The last line is one
JSON object; it ends with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import systems
from benchmarks.load import burst, request
from benchmarks.systems import System

from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute
from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.keys import NewKey, make_key
from slipway_store.migrate import migrate
from slipway_store.routes import write_route

EVERY_SECONDS = 15
MOST_PERCENT = 1.0
MOST_WALL_MS = 80.0
CONNECTIONS = 16
IDLE_SECONDS = 5.0
ASKED = ("inference_requests_total", "slipway_tenant_requests_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was read. ``series`` are lines with a sample."""

    series: int
    kilobytes: int
    versions: int
    tenants: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU of the process for one scrape, its share of a core every 15 s, and wall milliseconds."""

    cpu_ms: float
    core_percent: float
    wall_ms_median: float
    wall_ms_worst: float
    idle_core_percent: float


async def prepare(pool: Pool, engine_url: str, *, models: int, keys: int) -> list[str]:
    """Routes and keys; the keys' secrets."""
    for number in range(models):
        name = f"model-{number:03d}"
        backends = (
            BackendRoute(version=f"{name}-v2", weight=50, url=engine_url, role="candidate"),
            BackendRoute(version=f"{name}-v1", weight=50, url=engine_url),
        )
        guard = GuardRoute(candidate=f"{name}-v2", stable=f"{name}-v1", rollout_id=f"r-{number}")
        await write_route(
            pool, ModelRoute(model=name, salt=f"s-{number}", backends=backends, guard=guard)
        )
    return [
        (await make_key(pool, NewKey(name=f"tenant-{number:04d}")))[1] for number in range(keys)
    ]


def messages(known: list[str], *, models: int, rounds: int) -> list[bytes]:
    """Every Model in each round, each time by another key; another text is another version."""
    made = []
    for number in range(models * rounds):
        fields = {
            "model": f"model-{number % models:03d}",
            "messages": [{"role": "user", "content": f"question {number}"}],
        }
        headers = {
            "authorization": f"Bearer {known[number % len(known)]}",
            "x-conversation-id": f"c-{number}",
        }
        made.append(request(json.dumps(fields).encode(), headers))
    return made


def scrape(connection: http.client.HTTPConnection) -> tuple[float, str]:
    """Seconds and the page."""
    began = time.perf_counter()
    connection.request("GET", "/metrics")
    body = connection.getresponse().read()
    return time.perf_counter() - began, body.decode()


def measure(system: System, *, scrapes: int) -> tuple[Cost, Page]:
    """The cost of many scrapes, one after another."""
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=30)
    scrape(connection)
    before = system.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    idle = (system.cpu_seconds() - before) / IDLE_SECONDS
    before, began = system.cpu_seconds(), time.perf_counter()
    walls, text = [], ""
    for _ in range(scrapes):
        wall, text = scrape(connection)
        walls.append(wall * 1000)
    used = system.cpu_seconds() - before - idle * (time.perf_counter() - began)
    connection.close()
    each = max(0.0, used / scrapes)
    cost = Cost(
        cpu_ms=round(each * 1000, 2),
        core_percent=round(each / EVERY_SECONDS * 100, 3),
        wall_ms_median=round(statistics.median(walls), 1),
        wall_ms_worst=round(max(walls), 1),
        idle_core_percent=round(idle * 100, 2),
    )
    return cost, page_of(text)


def page_of(text: str) -> Page:
    """How much of it there is."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    versions, tenants = (
        sum(line.startswith(name + "{") and 'outcome="ok"' in line for line in lines)
        for name in ASKED
    )
    return Page(
        series=len(lines),
        kilobytes=len(text) // 1024,
        versions=versions,
        tenants=tenants,
    )


async def run(options: argparse.Namespace, dsn: str, folder: Path) -> tuple[Cost, Page]:
    """Start everything, measure, stop everything."""
    await migrate(dsn)
    running: list[System] = []
    pool = await open_pool(dsn)
    try:
        running.append(engine := systems.engine(None))
        url = f"http://127.0.0.1:{engine.port}"
        known = await prepare(pool, url, models=options.models, keys=options.keys)
        running.append(ours := systems.gateway(dsn, folder / "gateway", None))
        sent = messages(known, models=options.models, rounds=20)
        await systems.ready_with(ours.port, sent[-1])
        done = await burst(
            ours.port, sent, count=len(sent), connections=CONNECTIONS, expect=b'"usage"'
        )
        if done.failed:
            raise RuntimeError(f"{done.failed} of {len(sent)} answers were wrong")
        return await asyncio.to_thread(measure, ours, scrapes=options.scrapes)
    finally:
        for system in running:
            system.stop()
        await pool.close()


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100, help="of two versions each")
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--scrapes", type=int, default=100)
    options = parser.parse_args()
    # Not the default folder: its parents may be closed to the user that root runs PostgreSQL as.
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        dsn = embedded.start(folder / "postgres")
        try:
            cost, page = asyncio.run(run(options, dsn, folder))
        finally:
            embedded.stop(folder / "postgres")
    ok = cost.core_percent <= MOST_PERCENT and cost.wall_ms_median <= MOST_WALL_MS
    print(
        f"a page of {page.series} series ({page.kilobytes} KiB; {page.versions} versions, "
        f"{page.tenants} tenants) of a process with {options.keys} keys: {cost.cpu_ms} ms of CPU, "
        f"{cost.core_percent} % of a core every {EVERY_SECONDS} s (bar {MOST_PERCENT} %); "
        f"{cost.wall_ms_median} ms until it is read (bar {MOST_WALL_MS:g} ms), "
        f"the slowest {cost.wall_ms_worst} ms; load of the machine {os.getloadavg()[0]:.1f}"
    )
    print(json.dumps({"benchmark": "scrape", "ok": ok, **asdict(cost), **asdict(page)}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
