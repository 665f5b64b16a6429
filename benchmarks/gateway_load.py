"""What clients feel at a fixed rate: the latency that the gateway adds, beside what peers add.

``python -m benchmarks.gateway_load`` starts the embedded PostgreSQL, a fake engine, a gateway with
everything on and peers with nothing on. The load is open loop (``benchmarks.open_loop``), rounds
are interleaved with the same load straight at the engine; what is added is the median over rounds
of the differences. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from benchmarks import systems
from benchmarks.demo_model import messages, prepare
from benchmarks.open_loop import Latency, open_loop
from benchmarks.systems import System

from slipway_store import embedded
from slipway_store.connect import open_pool
from slipway_store.migrate import migrate

RATE = 500
SECONDS = 3
ENGINE = "engine"


async def latency(
    ports: dict[str, int], sent: list[bytes], *, rounds: int, seconds: float
) -> dict[str, list[Latency]]:
    """Interleaved, forwards then backwards; the first round warms up."""
    found: dict[str, list[Latency]] = {name: [] for name in ports}
    for number in range(rounds + 1):
        for name in ports if number % 2 else reversed(ports):
            samples = await open_loop(ports[name], sent, rate=RATE, seconds=seconds)
            if number:
                found[name].append(Latency.of(samples))
    return found


def summary(found: dict[str, list[Latency]]) -> dict[str, Any]:
    """Medians over rounds: of the figures, and of what is added to the engine's own."""
    out: dict[str, Any] = {"p50_ms": {}, "p99_ms": {}, "added_p50_ms": {}, "added_p99_ms": {}}
    for name, rounds in found.items():
        pairs = list(zip(rounds, found[ENGINE], strict=True))
        out["p50_ms"][name] = _median([mine.p50 for mine, _ in pairs])
        out["p99_ms"][name] = _median([mine.p99 for mine, _ in pairs])
        if name != ENGINE:
            out["added_p50_ms"][name] = _median([mine.p50 - its.p50 for mine, its in pairs])
            out["added_p99_ms"][name] = _median([mine.p99 - its.p99 for mine, its in pairs])
    return out


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


async def run(dsn: str, folder: Path, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Start everything, measure, stop everything."""
    await migrate(dsn)
    absent: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        pool = await open_pool(dsn)
        stack.push_async_callback(pool.close)
        engine = systems.engine(None)
        stack.callback(engine.stop)
        url = f"http://127.0.0.1:{engine.port}"
        plain = messages(await prepare(pool, url), stream=False)
        ports = {ENGINE: engine.port}
        starts: dict[str, Callable[[], System]] = {
            "slipway": lambda: systems.gateway(dsn, folder / "gateway", None),
            "vllm_router": lambda: systems.vllm_router(url, None, *systems.ROUND_ROBIN),
            "smg": lambda: systems.smg(url, None, *systems.ROUND_ROBIN),
        }
        for name, start in starts.items():
            try:
                system = start()
            except RuntimeError as error:
                if name == "slipway":
                    raise
                absent[name] = str(error)
                continue
            stack.callback(system.stop)
            await systems.ready_with(system.port, plain[0])
            ports[name] = system.port
        out = summary(await latency(ports, plain, rounds=rounds, seconds=seconds))
    return {"rate": RATE, "rounds": rounds, **out, "not_measured": absent}


def main() -> None:
    """Print the figures, then everything as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each system in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        dsn = embedded.start(folder / "postgres")
        try:
            found = uvloop.run(run(dsn, folder, rounds=options.rounds, seconds=options.seconds))
        finally:
            embedded.stop(folder / "postgres")
    for figure, value in found.items():
        print(f"{figure:16}{value}")
    print(json.dumps({"benchmark": "gateway_load", **found}))


if __name__ == "__main__":
    main()
