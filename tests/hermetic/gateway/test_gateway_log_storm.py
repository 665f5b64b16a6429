"""The log in a storm: kills at random moments and a PostgreSQL that fails in every way.

A tenth of it here, all of it with SLIPWAY_SOAK=1. Every acknowledged append has exactly one row.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from gateway_process import eventually
from log_writer import Writer
from postgres_proxy import PostgresProxy

from slipway_store.connect import open_pool

SUPPORT = Path(__file__).parents[2] / "support"
WRITER = SUPPORT / "log_writer.py"
SOAK = "SLIPWAY_SOAK" in os.environ
KILLS, ROWS = (120, 200_000) if SOAK else (12, 20_000)
DEADLINE = 1500 if SOAK else 150


class Storm:
    """One slot, lived in by one process after the other."""

    def __init__(self, dsn: str, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dsn = dsn
        self.random = random.Random(seed)
        self.told: list[str] = []

    async def live(self, life: int) -> None:
        """Start a writer and kill it at some moment after its first row."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WRITER), self.dsn, str(self.folder), str(life)),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.environ.get("SLIPWAY_COMPILED", "")},
        )
        assert process.stdout is not None
        first = await process.stdout.readline()
        reading = asyncio.create_task(process.stdout.read())
        await asyncio.sleep(self.random.uniform(0.05, 0.6))
        process.kill()
        rest = await reading
        await process.wait()
        # A line that the kill has cut was not told.
        self.told += (first + rest).decode().rpartition("\n")[0].split("\n")


async def faults(
    proxy: PostgresProxy, admin: str, chance: random.Random, seen: Counter[str]
) -> None:
    """One fault of PostgreSQL after the other, until cancelled."""
    pool = await open_pool(admin, min_size=0)
    try:
        while True:
            await asyncio.sleep(chance.uniform(0.1, 0.8))
            fault = chance.choice(("cut", "frozen", "dropped", "read only"))
            seen[fault] += 1
            if fault == "cut":
                await proxy.shut()
            elif fault == "frozen":
                proxy.freeze()
            elif fault == "read only":
                await _read_only(pool, "on")
            if fault != "frozen":
                await pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            await asyncio.sleep(chance.uniform(0.05, 0.5))
            await _read_only(pool, "off")
            await proxy.restore()
    finally:
        await _read_only(pool, "off")
        await proxy.restore()
        await pool.close()


async def _read_only(pool, value: str) -> None:
    async with pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_read_only = {value}"
        )


@pytest.mark.parametrize("seed", [5] if not SOAK else [5, 6, 7])
async def test_every_acknowledged_row_is_there_once(dsn: str, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with PostgresProxy(dsn) as proxy, asyncio.timeout(DEADLINE):
        storm = Storm(proxy.dsn, tmp_path / "slot", seed)
        seen: Counter[str] = Counter()
        weather = asyncio.create_task(faults(proxy, dsn, chance, seen))
        lives = 0
        while lives < KILLS or len(storm.told) < ROWS:
            lives += 1
            await storm.live(lives)
            assert not weather.done()
        weather.cancel()
        await asyncio.gather(weather, return_exceptions=True)

    pool = await open_pool(dsn)
    # The storm went on while they shipped, not before.
    assert await pool.fetchval("SELECT count(*) FROM request_logs") > ROWS // 100
    writer = Writer(tmp_path / "slot")

    async def shipped() -> bool:
        try:
            await writer.shipper.ship_all(pool)
        except Exception:
            return False
        return True

    await eventually(shipped, what="the rest of the log")
    writer.segments.close()
    # Some waited so long that they gave up their texts on the way.
    assert await pool.fetchval("SELECT count(*) FROM request_logs WHERE input_text IS NULL") > 0
    stored = Counter(r["request_id"] for r in await pool.fetch("SELECT * FROM request_logs"))
    late = {r["request_id"] for r in await pool.fetch("SELECT * FROM overdue_events")}
    await pool.close()

    told = set(storm.told)
    print(f"{len(told)} told, {len(stored)} stored, {lives} kills, {dict(seen)}")
    assert len(told) == len(storm.told) >= ROWS
    assert told - set(stored) == set()
    assert {name for name, count in stored.items() if count != 1} == set()
    # A kill between the append and the telling: one row a life at most.
    assert len(set(stored) - told) <= lives
    assert {name for name in told if name.endswith("0")} - late == set()
    assert not (tmp_path / "slot" / "rejected.jsonl").exists()
    assert len(list((tmp_path / "slot").glob("*.seg"))) == 1
