"""A process that only appends rows and ships them, to be killed: ``log_writer.py DSN FOLDER LIFE``.

Tells on stdout the number of each row after it was appended; a pipe keeps that after a kill. What
is told must be in PostgreSQL exactly once in the end, whoever ships it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from slipway_contracts.attempt import Attempt, Overdue
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper
from slipway_store.connect import Pool, open_pool

SEGMENT_BYTES = 100_000
BATCH_ROWS = 150
ROWS_AT_ONCE = 40
PAUSE = 0.002


def a_row(name: str, now: datetime, **fields: Any) -> Attempt:
    """A row with some text."""
    values: dict[str, Any] = {
        "request_id": name, "attempt": 1, "timestamp": now, "started_at": now, "gateway": "storm",
        "route": "/v1/chat/completions", "model_name": "m", "version": "v1", "routes_revision": 1,
        "unit_hash": name, "status": 200, "input_text": f"ask {name} é\n\0",
        "output_text": "x" * 99, "processing_time_ms": 1.5,
    }  # fmt: skip
    return Attempt(**values | fields)


class Writer:
    """A slot's log and its shipper, small enough that segments end often."""

    def __init__(self, folder: Path) -> None:
        self.segments = Segments(folder, SEGMENT_BYTES)
        self.log = AttemptLog(self.segments, RowClock())
        self.shipper = Shipper(
            self.segments, self.log.clock, gateway="storm", interval=0.005, batch_rows=BATCH_ROWS
        )

    def append(self, name: str) -> None:
        """One attempt; each tenth was overdue before."""
        now = self.log.clock.now()
        if name.endswith("0"):
            late = Overdue(
                request_id=name, attempt=1, timestamp=now, started_at=now, model_name="m",
                version="v1", unit_hash=name,
            )  # fmt: skip
            self.log.append(late)
        self.log.append(a_row(name, self.log.clock.now()))


async def strip_forever(writer: Writer) -> None:
    """What a gateway does over its bound, but never a row."""
    while True:
        await asyncio.sleep(0.02)
        for name in writer.segments.with_texts()[:1]:
            if writer.segments.size() > 3 * SEGMENT_BYTES:
                await writer.segments.strip(name, writer.shipper.shipped_of(name))


async def opened(dsn: str) -> Pool:
    """Whatever state PostgreSQL is in just now."""
    while True:
        try:
            return await open_pool(dsn)
        except Exception:
            await asyncio.sleep(0.05)


async def main(dsn: str, folder: Path, life: str) -> None:
    """Until killed."""
    writer = Writer(folder)
    pool = asyncio.create_task(opened(dsn))
    pool.add_done_callback(lambda done: tasks.append(ship(done.result())))

    def ship(found: Pool) -> asyncio.Task[None]:
        return asyncio.create_task(writer.shipper.run(found))

    tasks = [
        asyncio.create_task(writer.log.sync_forever(0.01)),
        asyncio.create_task(strip_forever(writer)),
    ]
    number = 0
    while True:
        for _ in range(ROWS_AT_ONCE):
            number += 1
            writer.append(f"{life}-{number}")
            os.write(1, b"%s-%d\n" % (life.encode(), number))
        await asyncio.sleep(PAUSE)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
