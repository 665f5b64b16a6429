"""Requests at a fixed rate, each with its time whether the one before has ended or not.

A latency counts from when the request was due, so that a stalled system cannot hide what it did to
those that came after.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass

from benchmarks.load import answered

USAGE = b'"usage"'


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
