"""``make bench-gateway``: CPU time of our gateway beside its peers, in one run.

Every system relays to one fake engine; bursts are interleaved (ours, peer, peer, ours …), so that
a slow minute of the machine hits all of them; each ratio is the median over rounds of a pair that
ran side by side. Ours has everything on: key check, split over two versions, guard, attempts log
shipped into a real PostgreSQL (the time of shipping counts). The gateway under test has core 0,
engine, client and database core 1. CPU time is the kernel's, of the process and its children.

Prints a table; the last line is one JSON object. Exits 1 when the bar is missed or a burst failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import systems
from benchmarks.load import burst, request
from benchmarks.systems import System

from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute
from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.keys import create_key
from slipway_store.migrate import migrate
from slipway_store.routes import write_route

BAR = 0.3
# Ours costs at most this share of a peer's CPU time, a request and a 100-chunk stream; the other
# bars of the product are those of the shipper's share and of `python -m benchmarks.gateway_load`.
BARS = {
    "vllm_router": {"request": 1.2, "stream_100": 1.0},
    "smg": {"request": 0.3},
    "litellm": {"request": 0.01, "stream_100": 0.025},
}
# A request of these costs milliseconds: they get fewer.
SLOW = {"litellm": 20}
CONNECTIONS = 16
# The bar holds for the first two. Paced: a millisecond between chunks, so that each is a wake-up of
# its own and the kernel's share, which is the same for all, weighs most.
KINDS = ("request", "stream_100", "paced_100")
PROMPT = "Tell me something about the sea. " * 15


@dataclass(slots=True)
class Samples:
    """CPU microseconds a request, one value a round."""

    request: list[float] = field(default_factory=list)
    stream_100: list[float] = field(default_factory=list)
    paced_100: list[float] = field(default_factory=list)


def messages(secret: str, *, stream: bool, paced: bool = False, model: str = "demo") -> list[bytes]:
    """64 different conversations, so that the split has something to split."""
    made = []
    for number in range(64):
        content = f"{number}: {PROMPT}{'!paced' if paced else ''}"
        fields: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
        }
        if stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        made.append(request(json.dumps(fields).encode(), {"authorization": f"Bearer {secret}"}))
    return made


async def measure(
    system: System, sent: list[bytes], *, count: int, stream: bool, pool: Pool
) -> float:
    """CPU microseconds a request over one burst, with the log's shipping."""
    before = system.cpu_seconds()
    logged = await rows(pool)
    expect = b"data: [DONE]" if stream else b'"usage"'
    result = await burst(system.port, sent, count=count, connections=CONNECTIONS, expect=expect)
    if result.failed:
        raise RuntimeError(f"{system.name}: {result.failed} of {count} answers were wrong")
    if system.name == "slipway":
        await shipped(pool, logged + count)
    return (system.cpu_seconds() - before) / count * 1e6


async def shipped(pool: Pool, count: int) -> None:
    """Until the log holds that many attempts."""
    for _ in range(600):
        if await rows(pool) >= count:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the log holds {await rows(pool)} attempts, not {count}: rows are missing")


async def rows(pool: Pool) -> int:
    """How many attempts the log holds."""
    return int(await pool.fetchval("SELECT count(*) FROM request_logs"))


async def prepare(pool: Pool, engine_url: str) -> str:
    """A route over two versions and a key; returns the key's secret."""
    backends = (
        BackendRoute(version="v2", weight=10, url=engine_url, role="candidate"),
        BackendRoute(version="v1", weight=90, url=engine_url),
    )
    guard = GuardRoute(candidate="v2", stable="v1", rollout_id="bench")
    route = ModelRoute(model="demo", salt="bench", backends=backends, guard=guard, overdue_ms=5000)
    await write_route(pool, route)
    _, secret = await create_key(pool, name="bench", models=["demo"])
    return secret


async def run(options: argparse.Namespace, dsn: str, folder: Path) -> dict[str, Any]:
    """Start everything, measure in rounds, stop everything."""
    await migrate(dsn)
    pool = await open_pool(dsn)
    gateway_core, other_core = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)
    running: list[System] = []
    try:
        running.append(engine := systems.engine(other_core))
        url = f"http://127.0.0.1:{engine.port}"
        secret = await prepare(pool, url)
        ours = systems.gateway(dsn, folder / "gateway", gateway_core)
        running.append(ours)
        measured = [ours, systems.fastapi_httpx(url, gateway_core)]
        running.append(measured[1])
        for name, start in peers(url, folder, gateway_core).items():
            try:
                peer, why = start(), "make bench-gateway installs it"
            except RuntimeError as error:
                peer, why = None, str(error)
            if peer is None:
                print(f"NOT MEASURED: {name} ({why})")
                continue
            measured.append(peer)
            running.append(peer)
        for system in (ours, *measured[2:]):
            await systems.ready_with(system.port, messages(secret, stream=False)[0])
        if other_core is not None:
            os.sched_setaffinity(0, {other_core})
        samples = await rounds(options, measured, secret, pool)
        split = await pool.fetch("SELECT version, count(*) FROM request_logs GROUP BY 1 ORDER BY 1")
        return summary(samples, {row["version"]: row["count"] for row in split}, options)
    finally:
        for system in reversed(running):
            system.stop()
        await pool.close()


def peers(url: str, folder: Path, core: int | None) -> dict[str, Callable[[], System | None]]:
    """Those of the peers' environment, by name."""
    return {
        "vllm_router": lambda: systems.vllm_router(url, core),
        "smg": lambda: systems.smg(url, core),
        "litellm": lambda: systems.litellm(url, folder, core),
    }


async def rounds(
    options: argparse.Namespace, measured: list[System], secret: str, pool: Pool
) -> dict[str, Samples]:
    """Warm-up, then interleaved bursts."""
    plain, stream = messages(secret, stream=False), messages(secret, stream=True)
    paced = messages(secret, stream=True, paced=True)
    samples = {system.name: Samples() for system in measured}
    for number in range(-1, options.rounds):
        # Forwards, then backwards: nobody is always first.
        for system in measured if number % 2 else measured[::-1]:
            fewer = SLOW.get(system.name, 1)
            requests, streams = options.requests // fewer, options.streams // fewer
            one = await measure(system, plain, count=requests, stream=False, pool=pool)
            two = await measure(system, stream, count=streams, stream=True, pool=pool)
            three = await measure(system, paced, count=streams, stream=True, pool=pool)
            if number >= 0:
                samples[system.name].request.append(one)
                samples[system.name].stream_100.append(two)
                samples[system.name].paced_100.append(three)
    return samples


def summary(
    samples: dict[str, Samples], split: dict[str, int], options: argparse.Namespace
) -> dict[str, Any]:
    """The JSON of the last line."""
    ours = samples["slipway"]
    out: dict[str, Any] = {
        "benchmark": "gateway",
        "rounds": options.rounds,
        "requests": options.requests,
        "streams": options.streams,
        "split": split,
        "cpu_us": {},
        "ratio": {},
        "not_measured": sorted(BARS.keys() - samples.keys()),
    }
    for name, of in samples.items():
        out["cpu_us"][name] = {
            kind: round(statistics.median(getattr(of, kind)), 1) for kind in KINDS
        }
        if of is not ours:
            out["ratio"][name] = {
                kind: ratio(getattr(ours, kind), getattr(of, kind)) for kind in KINDS
            }
    bar = out["ratio"]["fastapi_httpx"]
    out["bar"] = {"fastapi_httpx": BAR, **BARS}
    out["missed"] = [
        f"{kind}: {out['ratio'][name][kind]} × {name}, wanted {most}"
        for name, kinds in BARS.items()
        for kind, most in kinds.items()
        if name in out["ratio"] and out["ratio"][name][kind] > most
    ]
    out["ok"] = bool(bar["request"] <= BAR and bar["stream_100"] <= BAR and len(split) == 2)
    return out


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Median over rounds of ours / theirs."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)


def show(result: dict[str, Any]) -> None:
    """A table for people."""
    print(f"{'CPU µs (ours / it)':20}" + "".join(f"{kind:>22}" for kind in KINDS))
    for name, of in result["cpu_us"].items():
        ratios = result["ratio"].get(name, {})
        cells = [f"{of[kind]} ({ratios[kind]})" if ratios else f"{of[kind]}" for kind in KINDS]
        print(f"{name:20}" + "".join(f"{cell:>22}" for cell in cells))


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="plain requests a burst")
    parser.add_argument("--streams", type=int, default=400, help="100-chunk streams a burst")
    options = parser.parse_args()
    # Not the default folder: its parents may be closed to the user that root runs PostgreSQL as.
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        dsn = embedded.start(folder / "postgres")
        try:
            result = asyncio.run(run(options, dsn, folder))
        finally:
            embedded.stop(folder / "postgres")
    show(result)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
