import asyncio

import pytest

from slipway_operator.queue import DelayQueue


async def test_a_key_added_twice_runs_once_at_the_earlier_time():
    queue = DelayQueue()
    queue.add("a", 30)
    queue.add("a", 0)
    assert await asyncio.wait_for(queue.get(), 5) == "a"
    assert len(queue) == 0


async def test_a_later_add_does_not_postpone():
    queue = DelayQueue()
    queue.add("a")
    queue.add("a", 30)
    assert await asyncio.wait_for(queue.get(), 5) == "a"
    assert len(queue) == 0


async def test_a_key_is_held_by_one_worker_and_runs_again_when_added_meanwhile():
    queue = DelayQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiter.done()
    queue.done("a")
    assert await asyncio.wait_for(waiter, 5) == "a"


async def test_another_key_passes_the_held_one():
    queue = DelayQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("b")
    assert await asyncio.wait_for(queue.get(), 5) == "b"


async def test_an_add_wakes_a_waiting_worker():
    queue = DelayQueue()
    queue.add("late", 60)
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("now")
    assert await asyncio.wait_for(waiter, 5) == "now"


@pytest.mark.parametrize("turns", range(4))
async def test_a_cancellation_that_comes_with_a_change_is_not_lost(turns: int):
    queue = DelayQueue()
    queue.add("much later", 600)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    queue.add("later", 60)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    done, _ = await asyncio.wait([waiting], timeout=10)
    assert done
    assert waiting.cancelled()
