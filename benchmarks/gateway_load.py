"""What clients feel: latency that the gateway adds, memory of open streams, a noisy neighbour.

``python -m benchmarks.gateway_load`` starts the embedded PostgreSQL, fake engines and gateways with
everything on. Latency is open loop (a request has its time whether the one before has ended or
not), rounds interleaved with the same load straight at the engine and through vllm-router. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from benchmarks import systems
from benchmarks.gateway import messages, prepare
from benchmarks.load import answered, request
from benchmarks.systems import System

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.keys import create_key
from slipway_store.migrate import migrate
from slipway_store.routes import write_route

RATE = 500
STREAMS = 5000
USAGE = b'"usage"'
# The engine of ``crowded``: requests at once, and how long each takes.
FULL = 16
ANSWER_SECONDS = 0.25
BUSY = 0.85
SECONDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """From at least a hundred samples."""
        ranked = statistics.quantiles(seconds, n=100)
        return cls(p50=round(ranked[49] * 1000, 2), p99=round(ranked[98] * 1000, 2))


class Lines:
    """Kept-alive connections, one request on each at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, message: bytes, since: float) -> float:
        """Seconds from ``since`` to the answer's last byte."""
        line = (
            self._idle.pop()
            if self._idle
            else await asyncio.open_connection("127.0.0.1", self._port)
        )
        line[1].write(message)
        if not await answered(line[0], USAGE):
            raise RuntimeError("a wrong answer")
        self._idle.append(line)
        return time.perf_counter() - since

    def close(self) -> None:
        """Every idle one."""
        for _, writer in self._idle:
            writer.close()


async def open_loop(port: int, sent: list[bytes], *, rate: float, seconds: float) -> list[float]:
    """Latencies at a fixed rate."""
    lines, tasks = Lines(port), []
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(lines.ask(sent[number % len(sent)], due)))
    found = await asyncio.gather(*tasks)
    lines.close()
    return list(found)


async def latency(ports: dict[str, int], sent: list[bytes], rounds: int) -> dict[str, Latency]:
    """Interleaved; the first round warms up."""
    found: dict[str, list[float]] = {name: [] for name in ports}
    for number in range(rounds + 1):
        for name, port in ports.items():
            samples = await open_loop(port, sent, rate=RATE, seconds=3)
            if number:
                found[name] += samples
    return {name: Latency.of(samples) for name, samples in found.items()}


async def memory(ours: System, sent: list[bytes], streams: int) -> dict[str, float]:
    """MiB of the process: idle, and with so many streams that have begun and not ended."""
    idle = rss(ours)
    lines = []
    for first in range(0, streams, 100):
        opened = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", ours.port) for _ in range(100))
        )
        for number, (_, writer) in enumerate(opened):
            writer.write(sent[(first + number) % len(sent)])
        lines += opened
        heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in opened))
        refused = [head for head in heads if not head.startswith(b"HTTP/1.1 200")]
        if refused:
            raise RuntimeError(f"stream {first} and on: {refused[0].decode()}")
    held = rss(ours)
    for _, writer in lines:
        writer.transport.abort()
    return {"idle_mib": idle, "streams": streams, "streams_mib": held}


def rss(system: System) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{system.process.pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


async def neighbours(port: int, keys: list[list[bytes]], noisy: list[bytes]) -> dict[str, Any]:
    """Latencies of quiet keys beside one like them, then beside one that asks ten times as much.

    The engine takes ``FULL`` requests at once, a quarter of a second each. Before, all keys
    together ask for ``BUSY`` of what it can do; then for more than twice of it.
    """
    even: list[float] = []
    beside: list[float] = []
    refused = 0
    share = BUSY * FULL / ANSWER_SECONDS / (len(keys) + 1)
    for _ in range(3):
        same = asyncio.create_task(flood(port, noisy, rate=share, seconds=SECONDS))
        even += await at_once(*(quiet(port, key, rate=share) for key in keys))
        await same
        noise = asyncio.create_task(flood(port, noisy, rate=10 * share, seconds=SECONDS))
        beside += await at_once(*(quiet(port, key, rate=share) for key in keys))
        refused += await noise
    before, after = Latency.of(even), Latency.of(beside)
    return {
        "even_p99_ms": before.p99,
        "beside_p99_ms": after.p99,
        "ratio": round(after.p99 / before.p99, 2),
        "bar": 1.3,
        "noisy_refused": refused,
    }


async def at_once(*loads: Awaitable[list[float]]) -> list[float]:
    """All their latencies."""
    return [one for found in await asyncio.gather(*loads) for one in found]


async def quiet(port: int, sent: list[bytes], *, rate: float) -> list[float]:
    """An ordinary key's load."""
    return await open_loop(port, sent, rate=rate, seconds=SECONDS)


async def flood(port: int, sent: list[bytes], *, rate: float, seconds: float) -> int:
    """A key that asks far more than there is; how often it was refused (429 or 503)."""
    answers = []

    async def one(message: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        await answer_of(reader, head)
        writer.close()
        return int(head.split(b" ", 2)[1])

    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        if (wait := began + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        answers.append(asyncio.create_task(one(sent[number % len(sent)])))
    return sum(status in {429, 503} for status in await asyncio.gather(*answers))


async def answer_of(reader: asyncio.StreamReader, head: bytes) -> None:
    """A whole answer of known length."""
    length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
    await reader.readexactly(int(length))


async def run(dsn: str, folder: Path, *, rounds: int, streams: int) -> dict[str, Any]:
    """Everything, one after another."""
    await migrate(dsn)
    pool = await open_pool(dsn)
    running: list[System] = []

    def started(system: System) -> System:
        running.append(system)
        return system

    try:
        engine = started(systems.engine(None))
        url = f"http://127.0.0.1:{engine.port}"
        secret = await prepare(pool, url)
        began = time.monotonic()
        # One engine stands for many here.
        ours = started(
            systems.gateway(dsn, folder / "gateway", None, concurrency_start=2 * streams)
        )
        out: dict[str, Any] = {"ready_seconds": round(time.monotonic() - began, 2)}
        plain = messages(secret, stream=False)
        await systems.ready_with(ours.port, plain[0])
        router = systems.vllm_router(url, None)
        ports = {"engine": engine.port, "slipway": ours.port}
        if router is not None:
            ports["vllm_router"] = started(router).port
        by_system = await latency(ports, plain, rounds)
        out["latency_ms"] = {n: {"p50": of.p50, "p99": of.p99} for n, of in by_system.items()}
        out["added_p50_ms"] = round(by_system["slipway"].p50 - by_system["engine"].p50, 2)
        out["neighbours"] = await crowded(dsn, folder, started, pool)
        out["memory"] = await memory(ours, endless(secret), streams)
        return out
    finally:
        for system in reversed(running):
            system.stop()
        await pool.close()


async def crowded(
    dsn: str, folder: Path, started: Callable[[System], System], pool: Pool
) -> dict[str, Any]:
    """``neighbours`` before an engine that is soon full, through a gateway of its own."""
    slow = started(systems.engine(None, first_byte_delay=ANSWER_SECONDS, slots=FULL))
    url = f"http://127.0.0.1:{slow.port}"
    backend = BackendRoute(version="v1", weight=100, url=url)
    await write_route(pool, ModelRoute(model="crowded", salt="bench", backends=(backend,)))
    made = [await create_key(pool, name=f"n{number}", models=["crowded"]) for number in range(6)]
    ours = started(
        systems.gateway(
            dsn, folder / "crowded", None, slot="crowded", concurrency_start=FULL, queue_timeout=5
        )
    )
    *keys, noisy = [messages(secret, stream=False, model="crowded") for _, secret in made]
    await systems.ready_with(ours.port, noisy[0])
    return await neighbours(ours.port, keys, noisy)


def endless(secret: str) -> list[bytes]:
    """Streams that send a chunk and stay."""
    made = []
    for number in range(64):
        fields = {
            "model": "demo",
            "messages": [{"role": "user", "content": f"{number} !stay"}],
            "stream": True,
        }
        made.append(request(json.dumps(fields).encode(), {"authorization": f"Bearer {secret}"}))
    return made


def main() -> None:
    """Print the figures, then everything as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=STREAMS)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        dsn = embedded.start(folder / "postgres")
        try:
            found = uvloop.run(run(dsn, folder, rounds=options.rounds, streams=options.streams))
        finally:
            embedded.stop(folder / "postgres")
    for name, value in found.items():
        print(f"{name:16}{value}")
    print(json.dumps({"benchmark": "gateway_load", **found}))


if __name__ == "__main__":
    main()
