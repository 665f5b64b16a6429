"""What the attempts log costs: appending a row, and shipping it into a real PostgreSQL.

``python -m benchmarks.gateway_log`` starts the embedded PostgreSQL (settings of local mode, fsync
on) in a folder of its own, appends rows to real segments and ships them with the gateway's own
shipper over one connection. CPU is this process's (in the gateway it is the log's share), rows
per second is wall time with PostgreSQL on the same machine. ``row_us`` is a row from its making to
its shipping. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from slipway_contracts.attempt import Attempt
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper
from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.migrate import migrate
from slipway_store.partitions import ensure_partitions

TEXT_BYTES = 2048
SEGMENT_BYTES = 16 * 1024 * 1024
_WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "and", "writes", "it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians over the rounds. CPU in µs a row, of this process."""

    text_bytes: int
    rows: int
    rounds: int
    append_us: float
    build_and_append_us: float
    ship_us: float
    row_us: float
    ship_rows_per_second: float


async def measure(
    pool: Pool, folder: Path, *, text_bytes: int, rows: int, rounds: int, batch_rows: int = 1000
) -> Cost:
    """Append ``rows`` rows, then ship them all; ``rounds`` times."""
    appended, built, shipped, speed = [], [], [], []
    for number in range(rounds):
        segments = Segments(folder / f"{text_bytes}-{number}", SEGMENT_BYTES)
        log = AttemptLog(segments, RowClock())
        shipper = Shipper(
            segments, log.clock, gateway=f"bench-{number}", interval=1, batch_rows=batch_rows
        )
        texts = [_text(text_bytes // 2) for _ in range(64)]
        half = rows // 2
        made = [_row(log.clock, texts, index) for index in range(half)]
        began = _cpu()
        for row in made:
            log.append(row)
        appended.append((_cpu() - began) / half * 1e6)
        began = _cpu()
        for index in range(half):
            log.append(_row(log.clock, texts, index))
        built.append((_cpu() - began) / half * 1e6)
        segments.sync()
        await pool.execute("TRUNCATE request_logs, log_offsets")
        began, wall = _cpu(), time.perf_counter()
        await shipper.ship_all(pool)
        shipped.append((_cpu() - began) / (2 * half) * 1e6)
        speed.append(2 * half / (time.perf_counter() - wall))
        stored = await pool.fetchval("SELECT count(*) FROM request_logs")
        segments.close()
        if (stored, log.lost) != (2 * half, 0):
            raise RuntimeError(f"{stored} rows of {2 * half} are stored, {log.lost} are lost")
    return Cost(
        text_bytes=text_bytes,
        rows=2 * half,
        rounds=rounds,
        append_us=round(statistics.median(appended), 2),
        build_and_append_us=round(statistics.median(built), 2),
        ship_us=round(statistics.median(shipped), 2),
        row_us=round(statistics.median(map(sum, zip(built, shipped, strict=True))), 2),
        ship_rows_per_second=round(statistics.median(speed)),
    )


async def run(folder: Path, *, rows: int, rounds: int) -> list[Cost]:
    """With and without texts, against an embedded PostgreSQL in ``folder``."""
    dsn = embedded.start(folder / "postgres")
    try:
        await migrate(dsn)
        pool = await open_pool(dsn)
        await ensure_partitions(pool)
        costs = [
            await measure(pool, folder, text_bytes=size, rows=rows, rounds=rounds)
            for size in (0, TEXT_BYTES)
        ]
        await pool.close()
        return costs
    finally:
        embedded.stop(folder / "postgres")


def main() -> None:
    """Print a line a case, then everything as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where PostgreSQL and the segments live")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="slipway-bench-", dir=arguments.folder))
    try:
        costs = uvloop.run(run(folder, rows=arguments.rows, rounds=arguments.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for cost in costs:
        print(
            f"{cost.text_bytes:5} bytes of text: append {cost.append_us} µs, "
            f"built and appended {cost.build_and_append_us} µs, shipped {cost.ship_us} µs of CPU "
            f"a row; {cost.ship_rows_per_second} rows/s into PostgreSQL"
        )
    named = zip(("without_text", "with_text"), costs, strict=True)
    print(json.dumps({"benchmark": "gateway_log"} | {name: asdict(cost) for name, cost in named}))


def _row(clock: RowClock, texts: list[str], index: int) -> Attempt:
    now = clock.now()
    return Attempt(
        request_id=os.urandom(16).hex(),
        attempt=1,
        timestamp=now,
        started_at=now,
        gateway="gateway-0",
        route="/v1/chat/completions",
        model_name="chat",
        version="v2",
        routes_revision=12,
        unit_hash=f"{index:032x}",
        tenant="acme",
        key_id="0123456789ab",
        status=200,
        stream=True,
        empty=False,
        truncated=False,
        input_text=texts[index % 64] or None,
        output_text=texts[index % 61] or None,
        processing_time_ms=123.4567,
        ttft_ms=20.125,
        token_ms=3.5,
        prompt_tokens=120,
        completion_tokens=100,
        finish_reason="stop",
    )


def _text(size: int) -> str:
    """Words and numbers, which compress about as answers do."""
    words = (f"{random.choice(_WORDS)}{random.randrange(100)}" for _ in range(size // 5))
    return " ".join(words)[:size]


def _cpu() -> float:
    return time.process_time()


if __name__ == "__main__":
    main()
