"""Jobs end in one effect: done, tried again, given up, given back, stored beside a bad one."""

from __future__ import annotations

import signal

import pytest
from gateway_process import eventually

from slipway_store import jobs
from slipway_store.errors import NotFound


async def test_each_job_has_one_effect(queue, work) -> None:
    ids = await queue.put(100)
    worker = await work()
    await queue.empty()
    assert await queue.effects() == [(job, "done") for job in ids]
    assert await worker.stop() == 0


async def test_a_job_that_comes_later_is_noticed_at_once(queue, work) -> None:
    await work(poll_interval=3600)
    ids = await queue.put(1)
    await queue.empty()
    assert await queue.effects() == [(ids[0], "done")]


async def test_failed_attempts_are_tried_again_and_counted(queue, work) -> None:
    await queue.put(3, fail=2)
    worker = await work()
    await queue.empty()
    assert [note for _, note in await queue.effects()] == ["done"] * 3
    text = await worker.get("/metrics") or ""
    assert 'slipway_worker_runs_total{kind="effect",outcome="failed"} 6.0' in text
    assert 'slipway_worker_runs_total{kind="effect",outcome="done"} 3.0' in text


async def test_a_job_that_fails_too_often_is_dead_and_can_be_retried(queue, work) -> None:
    dead, other = await queue.put(1, fail=3) + await queue.put(1)
    await work(max_attempts=3)
    await queue.empty()
    assert await queue.effects() == [(dead, "dead "), (other, "done")]
    found = await jobs.list_dead(queue.pool)
    assert [(job.id, job.attempts) for job in found] == [(dead, 3)]
    assert "attempt 2 fails" in found[0].reason

    await queue.pool.execute("UPDATE dead_jobs SET payload = '{}'")
    assert await jobs.retry_dead(queue.pool, [dead]) == [dead]
    await queue.empty()
    assert await queue.effects() == [(dead, "dead "), (dead, "done"), (other, "done")]
    assert await jobs.list_dead(queue.pool) == []
    with pytest.raises(NotFound, match=str(dead)):
        await jobs.retry_dead(queue.pool, [dead])


async def test_a_hopeless_job_is_dead_at_once(queue, work) -> None:
    ids = await queue.put(1, hopeless=True)
    await work()
    await queue.empty()
    assert await queue.effects() == [(ids[0], "dead the asker reads this")]


async def test_a_refusal_for_now_costs_no_attempt(queue, work) -> None:
    ids = await queue.put(1, later=True)
    await work(max_attempts=1, patience=1.5)
    await queue.empty()
    assert await queue.effects() == [(ids[0], "dead ")]
    [dead] = await jobs.list_dead(queue.pool)
    assert "refused for" in dead.reason


async def test_a_result_that_cannot_be_stored_holds_up_no_other(queue, work) -> None:
    before = await queue.put(5)
    poison = await queue.put(1, poison=True)
    after = await queue.put(5)
    await work(max_attempts=2)
    await queue.empty()
    notes = dict(await queue.effects())
    assert [notes[job] for job in before + after] == ["done"] * 10
    assert notes[poison[0]] == "dead "


async def test_what_ends_its_worker_each_time_is_dead_in_the_end(queue, work) -> None:
    killer = await queue.put(1, kill=True)
    others = await queue.put(10)
    for _ in range(4):
        worker = await work(ready=False, max_attempts=4, heartbeat_timeout=0.5)
        await eventually(lambda w=worker: not w.running, what="a killed worker")
    await work(max_attempts=4, heartbeat_timeout=0.5)
    await queue.empty()
    assert dict(await queue.effects()) == dict.fromkeys(others, "done") | {killer[0]: "dead "}
    [dead] = await jobs.list_dead(queue.pool)
    assert dead.reason == "4 workers ended while they ran it"


async def test_sigterm_lets_running_jobs_finish_and_takes_no_more(queue, work) -> None:
    await queue.put(40, seconds=0.5)
    worker = await work(concurrency=4)

    async def running() -> int:
        return await queue.pool.fetchval("SELECT count(*) FROM pgqueuer WHERE status = 'picked'")

    async def full() -> bool:
        return await running() >= 4

    await eventually(full, what="four running jobs")
    assert await worker.stop() == 0
    assert 4 <= len(await queue.effects()) < 40
    assert await running() == 0


async def test_what_does_not_finish_in_time_is_given_back_for_nothing(queue, work) -> None:
    await queue.put(4, seconds=3600)
    worker = await work(shutdown_grace=0.2)

    async def running() -> bool:
        count = "SELECT count(*) FROM pgqueuer WHERE status = 'picked'"
        return await queue.pool.fetchval(count) == 4

    await eventually(running, what="four running jobs")
    assert await worker.stop() == 0
    rows = await queue.pool.fetch("SELECT status::text, attempts FROM pgqueuer")
    assert [(row["status"], row["attempts"]) for row in rows] == [("queued", 0)] * 4


async def test_a_second_signal_gives_back_at_once(queue, work) -> None:
    await queue.put(1, seconds=3600)
    worker = await work(shutdown_grace=3600)

    async def running() -> bool:
        count = "SELECT count(*) FROM pgqueuer WHERE status = 'picked'"
        return await queue.pool.fetchval(count) == 1

    await eventually(running, what="a running job")
    worker.signal(signal.SIGTERM)
    await eventually(lambda: "finishing" in worker.log.read_text(), what="the first signal")
    worker.signal(signal.SIGTERM)
    assert await worker.wait() == 0


async def test_a_kind_that_only_a_newer_worker_knows_is_left_alone(queue, work) -> None:
    await jobs.enqueue(queue.pool, "tomorrow", {}, tenant="acme")
    ids = await queue.put(3)
    await work()

    async def done() -> bool:
        return len(await queue.effects()) == len(ids)

    await eventually(done, what="the known jobs")
    [left] = await jobs.list_queued(queue.pool)
    assert (left.kind, left.state, left.attempts) == ("tomorrow", "waiting", 0)


async def test_wrong_settings_end_it_with_the_settings_name(work) -> None:
    worker = await work(ready=False, concurency=3)
    assert await worker.wait() == 78
    assert "SLIPWAY_WORKER_CONCURENCY" in worker.log.read_text()
