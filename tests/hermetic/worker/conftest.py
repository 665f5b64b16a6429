"""Fixtures of the worker's hermetic tests: a migrated database and worker processes on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from answer_site import Site
from fake_engine import EngineScript, FakeEngine
from gateway_process import GatewayProcess, eventually
from worker_process import TABLES, WorkerProcess

from slipway_store import jobs
from slipway_store.connect import Pool, open_pool


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await open_pool(dsn, max_size=4)
    await opened.execute(TABLES)
    yield opened
    opened.terminate()


@pytest.fixture
async def work(dsn: str, tmp_path: Path) -> AsyncIterator[Any]:
    """``await work(concurrency=4)`` → a ready worker with the kind ``effect``."""
    running: list[WorkerProcess] = []

    async def start(*, ready: bool = True, **settings: Any) -> WorkerProcess:
        given = {"dsn": dsn, "effects": True} | settings
        worker = WorkerProcess(folder=tmp_path, **given).spawn()
        running.append(worker)
        if ready:
            await worker.ready()
        return worker

    yield start
    for worker in running:
        await worker.kill()


class Queue:
    """The queue as a test looks at it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def put(self, count: int = 1, *, tenant: str = "acme", **told: Any) -> list[int]:
        """So many jobs; their ids."""
        ids = [await jobs.enqueue(self.pool, "effect", told, tenant=tenant) for _ in range(count)]
        return [job for job in ids if job is not None]

    async def effects(self) -> list[tuple[int, str]]:
        rows = await self.pool.fetch("SELECT job, note FROM effects ORDER BY job")
        return [(row["job"], row["note"]) for row in rows]

    async def empty(self) -> None:
        """Wait until nothing waits or runs."""

        async def is_empty() -> bool:
            return await self.pool.fetchval("SELECT count(*) FROM pgqueuer") == 0

        await eventually(is_empty, what="an empty queue")


@pytest.fixture
def queue(pool: Pool) -> Queue:
    return Queue(pool)


@pytest.fixture
def gateway_settings() -> dict[str, Any]:
    """A test that needs others parametrises them."""
    return {}


@pytest.fixture
async def site(dsn: str, tmp_path: Path, gateway_settings: dict[str, Any]) -> AsyncIterator[Site]:
    pool = await open_pool(dsn)
    async with FakeEngine(EngineScript(name="v1")) as engine:
        gateway = GatewayProcess(dsn, tmp_path, **gateway_settings).spawn()
        await gateway.ready()
        one = Site(gateway, engine, pool, tmp_path, dsn)
        await one.publish()
        yield one
        for worker in one.workers:
            await worker.kill()
        await gateway.kill()
    pool.terminate()
