"""CPU time of our gateway beside its peers', a request and a stream, in one run.

Every system relays to one fake engine (``quick_engine``); bursts are interleaved (ours, peer, peer,
ours …), so that a slow minute of the machine hits all of them; each ratio is the median over rounds
of a pair that ran side by side. Ours has everything on: key check, limits, split over two versions,
guard, usage, attempts log shipped into a real PostgreSQL. ``request`` counts the time of shipping;
``unshipped`` is a burst of its own while shipping is held back (``benchmarks.shipping``). The
gateway under test has core 0; engine, client and database have core 1. The peers have nothing on.
Whole answers are asked by wrk where it is installed (``benchmarks.wrk`` says why; ``load`` in the
result says which).

Prints a table; the last line is one JSON object. Exits 1 when a burst failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import same_bytes, systems, wrk
from benchmarks.demo_model import bodies, messages, prepare
from benchmarks.gateway_report import OURS, Samples, show, summary
from benchmarks.load import burst
from benchmarks.shipping import held, rows, shipped
from benchmarks.systems import System

from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.migrate import migrate

# Bars are for the first two and LiteLLM with nothing switched on. Those of "_defaults" are the same
# programs as they start by themselves, which is what most people run; "_stripped" has its breaker,
# retries and log switched off.
PEERS = (
    *("vllm_router", "smg", "smg_stripped", "vllm_router_defaults", "smg_defaults"),
    *("fastapi_httpx", "litellm"),
)
# No bar, or milliseconds a request: they get fewer.
SLOW = {"vllm_router_defaults": 2, "smg_defaults": 2, "fastapi_httpx": 5, "litellm": 40}
CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all bursts share."""

    pool: Pool
    secret: str
    requests: int
    streams: int
    seconds: int
    folder: Path

    async def round_of(self, system: System) -> dict[str, float]:
        """CPU microseconds by kind, of one system."""
        fewer = SLOW.get(system.name, 1)
        requests, streams = self.requests // fewer, self.streams // fewer
        stream = messages(self.secret, stream=True)
        paced = messages(self.secret, stream=True, paced=True)
        found = {"request": await self._cost(system, self._whole(system, requests))}
        if system.name == OURS:
            found |= await self._apart(system, requests)
        else:
            found["unshipped"] = found["request"]
        asked = _answered(system, stream, streams, stream=True)
        found["stream_100"] = await self._cost(system, asked)
        # No bar: a quarter of them will do.
        asked = _answered(system, paced, max(1, streams // 4), stream=True)
        found["paced_100"] = await self._cost(system, asked)
        return found

    async def _cost(self, system: System, asked: Awaitable[int]) -> float:
        """Of one of the answers that ``asked`` counts, with the log's shipping."""
        logged = await rows(self.pool)
        before = system.cpu_seconds()
        count = await asked
        if system.name == OURS:
            await shipped(self.pool, logged + count)
        return (system.cpu_seconds() - before) / count * 1e6

    async def _apart(self, system: System, count: int) -> dict[str, float]:
        """Without shipping, and what shipping cost when it was let go."""
        logged = await rows(self.pool)
        one = messages(self.secret, stream=False)
        async with held(self.pool, lambda: _answered(system, one, 1, stream=False)):
            began = system.cpu_seconds()
            count = await self._whole(system, count)
            ended = system.cpu_seconds()
        await shipped(self.pool, logged + count + 1)
        shipping = system.cpu_seconds() - ended
        return {"unshipped": (ended - began) / count * 1e6, "shipping": shipping / count * 1e6}

    async def _whole(self, system: System, count: int) -> int:
        """How many whole answers there were: ``count``, or as many as wrk got."""
        if wrk.WRK is None:
            return await _answered(system, messages(self.secret, stream=False), count, stream=False)
        try:
            return await wrk.saturate(
                system.port,
                bodies(stream=False),
                self.secret,
                seconds=self.seconds,
                connections=CONNECTIONS,
                folder=self.folder,
            )
        except RuntimeError as error:
            raise WrongAnswers(f"{system.name}: {error}") from error


class WrongAnswers(RuntimeError):
    """A burst that proves nothing."""


async def _answered(system: System, sent: list[bytes], count: int, *, stream: bool) -> int:
    """``count``, when all of them were right."""
    expect = b"data: [DONE]" if stream else b'"usage"'
    lines = min(CONNECTIONS, count)
    result = await burst(system.port, sent, count=count, connections=lines, expect=expect)
    if result.failed:
        wrong = f"{result.failed} of {count} answers ({'stream' if stream else 'whole'})"
        raise WrongAnswers(f"{system.name} had {wrong} that were wrong: {result.wrong}")
    return count


async def run(options: argparse.Namespace, dsn: str, folder: Path) -> dict[str, Any]:
    """Start everything, measure in rounds, stop everything."""
    await migrate(dsn)
    core, other = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)
    async with AsyncExitStack() as stack:
        pool = await open_pool(dsn)
        stack.push_async_callback(pool.close)
        engine = systems.quick_engine(other)
        stack.callback(engine.stop)
        secret = await prepare(pool, f"http://127.0.0.1:{engine.port}")
        bench = Bench(
            pool=pool,
            secret=secret,
            requests=options.requests,
            streams=options.streams,
            seconds=options.seconds,
            folder=folder,
        )
        absent: dict[str, str] = {}
        measured = []
        for name, start in starts(engine, dsn, folder, core).items():
            if name != OURS and name not in options.peers:
                continue
            try:
                system = start()
            except RuntimeError as error:
                if name == OURS:
                    raise
                absent[name] = str(error)
                continue
            stack.callback(system.stop)
            await systems.ready_with(system.port, messages(secret, stream=False)[0])
            measured.append(system)
        if other is not None:
            os.sched_setaffinity(0, {other})
        wrong: list[str] = []
        samples = await rounds(bench, measured, options.rounds, wrong)
        for name in samples.keys() - {system.name for system in measured}:
            del samples[name]
            absent[name] = f"wrong answers twice in one round: {wrong}"
        ours = next(system for system in measured if system.name == OURS)
        out = {"benchmark": "gateway", **vars(options), **summary(samples)}
        out |= {
            "load": "burst" if wrk.WRK is None else "wrk",
            "not_measured": absent,
            "wrong_answers": wrong,
        }
        asked = [*messages(secret, stream=False), *messages(secret, stream=True)]
        logged = await rows(pool)
        out["bytes"] = {
            "answers": len(asked),
            "different": await same_bytes.different(engine.port, ours.port, asked),
        }
        await shipped(pool, logged + len(asked))
        out["extracted"] = await same_bytes.unread(pool)
        split = await pool.fetch("SELECT version, count(*) FROM request_logs GROUP BY 1 ORDER BY 1")
        out["split"] = {row["version"]: row["count"] for row in split}
        return out


def starts(
    engine: System, dsn: str, folder: Path, core: int | None
) -> dict[str, Callable[[], System]]:
    """How each is started. LiteLLM first: it takes the whole machine until it is ready."""
    url = f"http://127.0.0.1:{engine.port}"
    return {
        "litellm": lambda: systems.litellm(url, folder, core),
        OURS: lambda: systems.gateway(dsn, folder / "gateway", core),
        "vllm_router": lambda: systems.vllm_router(url, core, *systems.ROUND_ROBIN),
        "smg": lambda: systems.smg(url, core, *systems.ROUND_ROBIN),
        "smg_stripped": lambda: systems.smg(url, core, *systems.STRIPPED),
        "vllm_router_defaults": lambda: systems.vllm_router(url, core),
        "smg_defaults": lambda: systems.smg(url, core),
        "fastapi_httpx": lambda: systems.fastapi_httpx(url, core),
    }


async def rounds(
    bench: Bench, measured: list[System], count: int, wrong: list[str]
) -> dict[str, Samples]:
    """Warm-up, then interleaved bursts. A peer that answers wrongly leaves ``measured``."""
    samples: dict[str, Samples] = {system.name: {} for system in measured}
    for number in range(-1, count):
        # Forwards, then backwards: nobody is always first.
        for system in tuple(measured if number % 2 else measured[::-1]):
            found = await _round_or_not(bench, system, wrong)
            if found is None:
                measured.remove(system)
            elif number >= 0:
                for kind, microseconds in found.items():
                    samples[system.name].setdefault(kind, []).append(microseconds)
    return samples


async def _round_or_not(bench: Bench, system: System, wrong: list[str]) -> dict[str, float] | None:
    """Ours answers rightly, or there is nothing to measure; a peer has a second try."""
    for _ in range(2):
        try:
            return await bench.round_of(system)
        except WrongAnswers as error:
            if system.name == OURS:
                raise
            wrong.append(str(error))
    return None


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=6000, help="a burst, where there is no wrk")
    parser.add_argument("--seconds", type=int, default=2, help="of wrk")
    parser.add_argument("--streams", type=int, default=800, help="100-chunk streams a burst")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
