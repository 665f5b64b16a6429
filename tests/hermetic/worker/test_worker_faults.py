"""Killed workers, a lost database, several workers, one tenant among others.

A tenth of the storm: ``SLIPWAY_SOAK=1`` runs all of it (20,000 jobs, 200 kills).
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from gateway_process import eventually
from postgres_proxy import PostgresProxy
from postgres_server import PostgresServer, in_thread
from worker_process import WorkerProcess

from slipway_store import embedded, jobs
from slipway_store.connect import open_pool

SOAK = os.environ.get("SLIPWAY_SOAK") == "1"
JOBS, KILLS = (20_000, 200) if SOAK else (2_000, 20)


@pytest.mark.timeout(3600 if SOAK else 300)
async def test_killed_at_random_moments_loses_and_doubles_nothing(queue, work) -> None:
    """Three workers; one is killed, another begins. Jobs last longer than the kills are apart."""
    dice = random.Random(20)
    settings = {"heartbeat_timeout": 1, "concurrency": 12, "max_attempts": 1000}
    lengths = [0.0, 0.0, 0.01, 0.05, 0.4]
    ids = []
    for number in range(JOBS):
        told = {"seconds": dice.choice(lengths), "logged": number % 10 == 0}
        ids += await queue.put(1, tenant=f"t{number % 7}", **told)
    workers = [await work(ready=False, **settings) for _ in range(3)]
    began = asyncio.get_running_loop().time()

    async def left() -> int:
        return await queue.pool.fetchval("SELECT count(*) FROM pgqueuer")

    kills = 0
    while kills < KILLS:
        # Kills are spread over the whole work, however fast this machine is.
        due = JOBS * (1 - (kills + 1) / (KILLS + 1))
        await eventually(lambda due=due: _under(left, due), what=f"{due:.0f} jobs left")
        await asyncio.sleep(dice.random() * 0.1)
        victim = workers.pop(dice.randrange(len(workers)))
        await victim.kill()
        kills += 1
        workers.append(await work(ready=False, **settings))
    await queue.empty()
    took = asyncio.get_running_loop().time() - began
    effects = [job for job, _ in await queue.effects()]
    again = await queue.pool.fetchval(
        "SELECT count(*) FROM (SELECT FROM runs GROUP BY job HAVING count(*) > 1) more"
    )
    print(f"{JOBS} jobs, {kills} kills, {took:.0f} s; of every tenth job {again} ran again")
    assert sorted(effects) == sorted(ids)
    assert await jobs.list_dead(queue.pool) == []


async def _under(left, due: float) -> bool:
    return await left() <= due


async def test_the_database_restarts_under_running_jobs(tmp_path) -> None:
    with PostgresServer() as server:
        dsn = server.dsn(server.create())
        pool = await open_pool(dsn)
        await pool.execute("CREATE TABLE effects (job bigint NOT NULL, note text)")
        worker = WorkerProcess(dsn, tmp_path, effects=True, concurrency=8).spawn()
        await worker.ready()
        try:
            ids = [
                await jobs.enqueue(pool, "effect", {"seconds": 0.05}, tenant="t")
                for _ in range(400)
            ]
            for _ in range(3):
                before = await pool.fetchval("SELECT count(*) FROM effects")

                async def moved(before: int = before) -> bool:
                    return await pool.fetchval("SELECT count(*) FROM effects") > before

                await eventually(moved, what="effects before the restart")
                in_thread(lambda: embedded.stop(server.folder))
                in_thread(lambda: embedded.start(server.folder))
                await pool.expire_connections()

            async def empty() -> bool:
                return await pool.fetchval("SELECT count(*) FROM pgqueuer") == 0

            await eventually(empty, what="an empty queue")
            rows = await pool.fetch("SELECT job FROM effects")
            assert sorted(row["job"] for row in rows) == sorted(ids)
            assert await worker.stop() == 0
        finally:
            await worker.kill()
            pool.terminate()


async def test_a_frozen_database_is_waited_for(dsn, queue, work) -> None:
    async with PostgresProxy(dsn) as proxy:
        worker = await work(dsn=proxy.dsn, heartbeat_timeout=60)
        ids = await queue.put(50, seconds=0.01)
        await eventually(queue.effects, what="a first effect")
        await proxy.shut()
        await asyncio.sleep(0.5)
        assert worker.running
        more = await queue.put(10)
        await proxy.restore()
        await queue.empty()
    assert [job for job, _ in await queue.effects()] == ids + more


async def test_a_silent_workers_late_result_is_dropped(dsn, queue, work) -> None:
    """The first worker's way to the database is shut past its heartbeat; another does its jobs."""
    async with PostgresProxy(dsn) as proxy:
        first = await work(dsn=proxy.dsn, heartbeat_timeout=0.5)
        ids = await queue.put(4, seconds=1.0)

        async def running() -> bool:
            count = "SELECT count(*) FROM pgqueuer WHERE status = 'picked'"
            return await queue.pool.fetchval(count) == 4

        await eventually(running, what="four running jobs")
        await proxy.shut()
        await work(heartbeat_timeout=0.5)
        await queue.empty()
        await proxy.restore()
        later = await queue.put(20)
        await queue.empty()
        assert [job for job, _ in await queue.effects()] == ids + later
        assert await first.stop() == 0


async def test_two_workers_share_the_work(queue, work) -> None:
    ids = await queue.put(200, seconds=0.02)
    first, second = await work(concurrency=4), await work(concurrency=4)
    await queue.empty()
    assert [job for job, _ in await queue.effects()] == ids
    for worker in (first, second):
        text = await worker.get("/metrics") or ""
        assert 'slipway_worker_runs_total{kind="effect",outcome="done"}' in text


async def test_a_tenants_jobs_run_only_so_many_at_once_over_all_workers(queue, work) -> None:
    await queue.put(40, tenant="noisy", seconds=0.1, logged=True)
    for _ in range(2):
        await work(concurrency=8, tenant_concurrency=3)
    await queue.empty()
    most = await queue.pool.fetchval(
        """SELECT max(beside) FROM (SELECT (SELECT count(*) FROM runs other
            WHERE other.began <= one.began AND other.ended > one.began) AS beside FROM runs one)
        AS counted"""
    )
    assert most == 3


async def test_a_tenant_with_one_job_does_not_wait_for_one_with_many(queue, work) -> None:
    await queue.put(200, tenant="noisy", seconds=0.05)
    await queue.put(200, tenant="loud", seconds=0.05)
    quiet = await queue.put(1, tenant="quiet")
    await work(concurrency=8, tenant_concurrency=4)

    async def done() -> bool:
        return quiet[0] in [job for job, _ in await queue.effects()]

    await eventually(done, what="the quiet tenant's job")
    assert len(await queue.effects()) < 100
