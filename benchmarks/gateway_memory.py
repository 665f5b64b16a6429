"""How soon a gateway process is ready, and what it holds: idle, and with 5,000 open streams.

``python -m benchmarks.gateway_memory`` starts the embedded PostgreSQL, a fake engine and gateways
with everything on. Ready is from the start of the process to the first 200 of ``/ready``, the
median over starts. Memory is the resident set of the one process, in MB (10^6 bytes); the streams
have begun and do not end. The last line is one JSON object.
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
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop
from benchmarks import systems
from benchmarks.demo_model import messages, prepare
from benchmarks.load import request
from benchmarks.systems import System

from slipway_store import embedded
from slipway_store.connect import open_pool
from slipway_store.migrate import migrate

STREAMS = 5000
AT_ONCE = 100


async def memory(ours: System, sent: list[bytes], streams: int) -> dict[str, float]:
    """Idle, and with so many streams that have begun and not ended."""
    idle = resident(ours)
    lines = []
    for first in range(0, streams, AT_ONCE):
        opened = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", ours.port) for _ in range(AT_ONCE))
        )
        for number, (_, writer) in enumerate(opened):
            writer.write(sent[(first + number) % len(sent)])
        lines += opened
        heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in opened))
        refused = [head for head in heads if not head.startswith(b"HTTP/1.1 200")]
        if refused:
            raise RuntimeError(f"stream {first} and on: {refused[0].decode()}")
        await asyncio.gather(*(reader.readuntil(b"\n\n") for reader, _ in opened))
    held = resident(ours)
    for _, writer in lines:
        writer.transport.abort()
    return {"idle_mb": idle, "streams": len(lines), "streams_mb": held}


def resident(system: System) -> float:
    """MB of the process."""
    pages = int(Path(f"/proc/{system.process.pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


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


def ready(dsn: str, folder: Path, starts: int) -> list[float]:
    """Seconds of each start, in a folder of its own; each is stopped."""
    took = []
    for number in range(starts):
        began = time.monotonic()
        one = systems.gateway(dsn, folder / f"start-{number}", None, slot=f"start-{number}")
        took.append(time.monotonic() - began)
        one.stop()
    return took


async def run(dsn: str, folder: Path, *, starts: int, streams: int) -> dict[str, Any]:
    """Ready first, then memory."""
    await migrate(dsn)
    pool = await open_pool(dsn)
    with ExitStack() as stack:
        engine = systems.engine(None)
        stack.callback(engine.stop)
        secret = await prepare(pool, f"http://127.0.0.1:{engine.port}")
        took = await asyncio.to_thread(ready, dsn, folder, starts)
        # One engine stands for many here.
        ours = systems.gateway(dsn, folder / "gateway", None, concurrency_start=2 * streams)
        stack.callback(ours.stop)
        await systems.ready_with(ours.port, messages(secret, stream=False)[0])
        found = await memory(ours, endless(secret), streams)
    await pool.close()
    return {"ready_seconds": round(statistics.median(took), 2), "starts": starts, **found}


def main() -> None:
    """Print the figures, then everything as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts")
    parser.add_argument("--streams", type=int, default=STREAMS)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        dsn = embedded.start(folder / "postgres")
        try:
            found = uvloop.run(run(dsn, folder, starts=options.rounds, streams=options.streams))
        finally:
            embedded.stop(folder / "postgres")
    for figure, value in found.items():
        print(f"{figure:16}{value}")
    print(json.dumps({"benchmark": "gateway_memory", **found}))


if __name__ == "__main__":
    main()
