"""The log against one fault of PostgreSQL at a time: nothing lost, nothing twice, nobody waits.

The server is this file's own: it is stopped, frozen and made read-only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from gateway_process import eventually
from log_writer import SEGMENT_BYTES, Writer
from postgres_proxy import PostgresProxy
from postgres_server import FAST, PostgresServer, in_thread

from slipway_gateway.attempts import frames
from slipway_gateway.attempts import shipper as shipping
from slipway_gateway.attempts.bound import Bound
from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.tuples import COLUMNS


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_dsn(own: PostgresServer) -> Iterator[str]:
    name = own.create()
    yield own.dsn(name)
    own.drop(name)


class Running:
    """A writer that appends and ships, with rows numbered from 0."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(folder)
        self.appended = 0

    def append(self, count: int) -> None:
        for _ in range(count):
            self.writer.append(f"r{self.appended}")
            self.appended += 1

    async def keep_appending(self, seconds: float) -> None:
        """Rows every few milliseconds; no append may wait for anybody."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.append(20)
            await asyncio.sleep(0.005)

    async def arrived(self, dsn: str) -> None:
        """Every row is there, once. The pools of before may be of a dead server."""
        pool = await open_pool(dsn)

        async def complete() -> bool:
            return int(await pool.fetchval("SELECT count(*) FROM request_logs")) >= self.appended

        try:
            await eventually(complete, what=f"{self.appended} rows")
            found = await pool.fetch("SELECT request_id FROM request_logs")
        finally:
            await pool.close()
        expected = sorted(f"r{number}" for number in range(self.appended))
        assert sorted(row["request_id"] for row in found) == expected
        assert (self.writer.log.lost, self.writer.log.appended >= self.appended) == (0, True)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Any]:
    """``await running(dsn)`` → a Running that ships over that address."""
    tasks: list[asyncio.Task[None]] = []
    pools: list[Pool] = []
    one = Running(tmp_path / "slot")

    async def start(dsn: str) -> Running:
        pools.append(await open_pool(dsn))
        tasks.append(asyncio.create_task(one.writer.shipper.run(pools[0])))
        return one

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for pool in pools:
        pool.terminate()
    one.writer.segments.close()


async def test_a_server_that_is_stopped_for_a_while(own, own_dsn, running) -> None:
    one = await running(own_dsn)
    await one.keep_appending(0.3)
    await asyncio.to_thread(in_thread, lambda: embedded.stop(own.folder))
    await one.keep_appending(5)
    assert len(one.writer.segments.waiting()) > 3
    await asyncio.to_thread(in_thread, lambda: embedded.start(own.folder, settings=FAST))
    await one.keep_appending(0.3)
    await one.arrived(own_dsn)


async def test_a_server_whose_processes_stand_still(own_dsn, running) -> None:
    one = await running(own_dsn)
    await one.keep_appending(0.3)
    pool = await open_pool(own_dsn)
    mine = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    pids = [row["pid"] for row in await pool.fetch(mine)]
    pool.terminate()
    stopped = []
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        shipped = one.writer.shipper.shipped
        await one.keep_appending(3)
        assert one.writer.shipper.shipped <= shipped + 150
    finally:
        for pid in stopped:
            # The look-up's own session may have been stopped while it ended.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    await one.keep_appending(0.3)
    await one.arrived(own_dsn)


async def test_a_server_that_only_reads(own_dsn, running) -> None:
    one = await running(own_dsn)
    await one.keep_appending(0.3)
    admin = await open_pool(own_dsn)
    name = await admin.fetchval("SELECT current_database()")
    alter = f"ALTER DATABASE {name} SET default_transaction_read_only"
    await admin.execute(f"{alter} = on")
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await one.keep_appending(2)
    async with admin.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"{alter} = off")
    await admin.close()
    # PostgreSQL closes no connection for that: those of the bad time would only read for ever.
    await one.keep_appending(0.3)
    await one.arrived(own_dsn)


async def test_connections_that_are_cut_again_and_again(own_dsn, running) -> None:
    async with PostgresProxy(own_dsn) as proxy:
        one = await running(proxy.dsn)
        for _ in range(15):
            await one.keep_appending(0.1)
            await proxy.shut()
            await one.keep_appending(0.02)
            await proxy.restore()
        await one.arrived(own_dsn)


class LosesAnswers(PostgresProxy):
    """Cuts the connection when PostgreSQL has done a COMMIT, before its answer is heard."""

    lost = 0
    armed = False
    _cut = False

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self._cut:
                    self._cut = False
                    self.lost += 1
                    break
                self._cut = self.armed and b"COMMIT" in data
                self.armed = self.armed and not self._cut
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


async def test_a_commit_whose_answer_is_lost_is_not_done_twice(own_dsn, running) -> None:
    async with LosesAnswers(own_dsn) as proxy:
        one = await running(proxy.dsn)
        for turn in range(1, 6):
            proxy.armed = True
            one.append(100)
            await eventually(lambda turn=turn: proxy.lost == turn, what="a lost answer")
        await one.arrived(own_dsn)
        writer = one.writer
        await eventually(lambda: writer.shipper.shipped == writer.log.appended, what="the count")


async def test_a_row_that_is_refused_goes_aside_and_the_others_arrive(own_dsn, running) -> None:
    admin = await open_pool(own_dsn)
    await admin.execute("ALTER TABLE request_logs ADD CHECK (request_id <> 'r7')")
    await admin.close()
    one = await running(own_dsn)
    one.append(300)
    segments = one.writer.segments
    refused = segments._folder / "rejected.jsonl"
    await eventually(refused.exists, what="the row aside")
    pool = await open_pool(own_dsn)

    async def others() -> bool:
        return await pool.fetchval("SELECT count(*) FROM request_logs") == 299

    await eventually(others, what="the other rows")
    await pool.close()
    assert '"request_id":"r7"' in refused.read_text()


async def test_a_schema_with_columns_of_a_newer_gateway(own_dsn, running, monkeypatch) -> None:
    """The step back: a segment names a column that this database has no more."""
    one = await running(own_dsn)
    columns = (*COLUMNS[:-1], "mood")
    newer = frames.frame(frames.COLUMNS, 0, orjson.dumps(columns))
    monkeypatch.setattr(frames, "header", lambda: newer)
    one.append(50)
    await one.arrived(own_dsn)


async def test_offsets_that_are_lost_double_no_row(own_dsn, running) -> None:
    one = await running(own_dsn)
    one.append(400)
    await one.arrived(own_dsn)
    pool = await open_pool(own_dsn)
    await pool.execute("DELETE FROM log_offsets")
    one.append(400)
    await one.arrived(own_dsn)
    assert await pool.fetchval("SELECT sum(requests) FROM usage_deltas") == one.appended
    await pool.close()


async def test_texts_go_before_rows_while_postgresql_is_away(own_dsn, running) -> None:
    async with PostgresProxy(own_dsn) as proxy:
        one = await running(proxy.dsn)
        await proxy.shut()
        bound = Bound(one.writer.segments, one.writer.shipper, 5 * SEGMENT_BYTES)
        while one.writer.segments.size() < 8 * SEGMENT_BYTES:
            one.append(100)
            await asyncio.sleep(0)
        await bound.keep()
        assert (bound.stripped > 0, bound.dropped) == (True, 0)
        await proxy.restore()
        await one.arrived(own_dsn)
        pool = await open_pool(own_dsn)
        bare = "SELECT count(*) FROM request_logs WHERE input_text IS NULL AND output_text IS NULL"
        whole = "SELECT count(*) FROM request_logs WHERE input_text LIKE 'ask r%'"
        assert await pool.fetchval(bare) <= bound.stripped
        assert await pool.fetchval(bare) > 0
        assert await pool.fetchval(bare) + await pool.fetchval(whole) == one.appended
        await pool.close()


async def test_texts_go_from_a_segment_while_it_is_shipped(own_dsn, running) -> None:
    async with PostgresProxy(own_dsn) as proxy:
        one = await running(proxy.dsn)
        bound = Bound(one.writer.segments, one.writer.shipper, 4 * SEGMENT_BYTES)
        for turn in range(40):
            one.append(200)
            if turn % 4 == 3:
                await proxy.shut()
                await proxy.restore()
            await bound.keep()
            while one.writer.segments.size() > 6 * SEGMENT_BYTES:
                await asyncio.sleep(0.01)
        await one.arrived(own_dsn)
        assert (bound.stripped > 0, bound.dropped) == (True, 0)


async def test_a_frozen_server_is_given_up_after_a_time(own_dsn, running, monkeypatch) -> None:
    """Bytes go nowhere and no connection breaks: the batch is tried again on another one."""
    monkeypatch.setattr(shipping, "TIMEOUT", 0.5)
    async with PostgresProxy(own_dsn) as proxy:
        one = await running(proxy.dsn)
        await one.keep_appending(0.2)
        proxy.freeze()
        await one.keep_appending(1.5)
        await proxy.restore()
        await one.arrived(own_dsn)
