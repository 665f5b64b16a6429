"""A gateway with more asked of it than engines bear: who waits, who is refused, who recovers."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from fake_engine import EngineScript, FakeEngine
from free_ports import free_port
from gateway_process import eventually

from slipway_store.keys import create_key

# Below the hundred connections that one client opens at most.
CROWD = 90


async def refusal(demo, text="hello", **more):
    """(status, code, Retry-After) of one chat."""
    async with demo.post(demo.chat(text), **more) as answer:
        body = await answer.json()
        return answer.status, body["error"]["code"], int(answer.headers["retry-after"])


async def test_a_dead_backend_is_left_alone_and_taken_back(start, to):
    demo = await start(connect_timeout=1)
    url = f"http://127.0.0.1:{free_port()}"
    await demo.publish(to(url, version="v1"))
    asked = 0

    async def shut():
        nonlocal asked
        asked += 1
        status, code, retry_after = await refusal(demo)
        assert (status, retry_after >= 1) == (503, True)
        return code == "no_capacity"

    await eventually(shut, what="an open circuit")
    assert asked >= 3
    async with FakeEngine(EngineScript(name="v1"), port=urlsplit(url).port) as engine:

        async def served():
            return (await demo.ask())[0] == 200

        await eventually(served, what="the probe")
        answers = await asyncio.gather(*(demo.ask() for _ in range(20)))
        assert {status for status, _, _ in answers} == {200}
        assert len(engine.calls.bodies) >= 21


async def test_a_failing_engine_is_left_alone_too(start, v1, to):
    demo = await start()
    await demo.publish(to(v1))
    v1.script.status = 500
    for _ in range(40):
        await demo.ask()
    assert len(v1.calls.bodies) < 40
    v1.script.status = 200

    async def served():
        return (await demo.ask())[0] == 200

    await eventually(served, what="the probe")


async def test_more_than_the_engine_bears_waits_and_the_rest_is_refused_at_once(start, v1, to):
    demo = await start(concurrency_start=2, queue_limit=3, queue_timeout=60)
    await demo.publish(to(v1))
    held = [asyncio.create_task(demo.ask("!hang")) for _ in range(2)]
    await eventually(lambda: v1.calls.open == 2, what="two calls")
    waiting = [asyncio.create_task(demo.ask()) for _ in range(3)]

    async def full():
        extra = asyncio.create_task(refusal(demo, "extra"))
        done, _ = await asyncio.wait({extra}, timeout=1)
        if done:
            return extra.result()
        extra.cancel()
        await asyncio.gather(extra, return_exceptions=True)
        return None

    status, code, retry_after = await eventually(full, what="a full queue")
    assert (status, code) == (503, "no_capacity")
    assert 1 <= retry_after <= 60
    assert v1.calls.open == 2
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    served = [result[0] for result in await asyncio.gather(*waiting)]
    assert set(served) <= {200, 503}
    assert 200 in served


async def test_who_waits_too_long_is_refused(start, v1, to):
    demo = await start(concurrency_start=1, queue_timeout=1)
    await demo.publish(to(v1))
    held = asyncio.create_task(demo.ask("!hang"))
    await eventually(lambda: v1.calls.open == 1, what="the call")
    status, code, _ = await refusal(demo)
    assert (status, code) == (503, "no_capacity")
    assert len(v1.calls.bodies) == 1
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)


async def test_who_leaves_the_queue_never_reaches_the_engine(start, v1, to):
    demo = await start(concurrency_start=1, queue_timeout=60)
    await demo.publish(to(v1))
    held = asyncio.create_task(demo.ask("!hang"))
    await eventually(lambda: v1.calls.open == 1, what="the call")
    leaves = asyncio.create_task(demo.ask("leaves"))
    stays = asyncio.create_task(demo.ask("stays"))
    await asyncio.wait({leaves, stays}, timeout=1)
    leaves.cancel()
    held.cancel()
    await asyncio.gather(leaves, held, return_exceptions=True)
    assert (await stays)[0] == 200
    assert not any(b"leaves" in body for body in v1.calls.bodies)


async def test_a_noisy_key_does_not_push_another_back(start, v1, to):
    demo = await start(concurrency_start=4, queue_timeout=60, queue_limit=500)
    await demo.publish(to(v1))
    v1.script.first_byte_delay = 0.05
    headers = {}
    for name in ("noisy", "quiet"):
        _, secret = await create_key(demo.pool, name=name)
        headers[name] = {"authorization": f"Bearer {secret}"}

        async def admitted(name=name):
            return (await demo.ask(headers=headers[name]))[0] == 200

        await eventually(admitted, what="the key")
    served = 0

    async def noisy():
        nonlocal served
        status, _, _ = await demo.ask(headers=headers["noisy"])
        served += status == 200

    crowd = [asyncio.create_task(noisy()) for _ in range(CROWD)]
    await eventually(lambda: served >= 4, what="a crowd that is being served")
    overtaken = []
    for _ in range(5):
        before = served
        assert (await demo.ask(headers=headers["quiet"]))[0] == 200
        overtaken.append(served - before)
    # In line the first would have been behind nearly all; in turn it is behind a handful.
    assert max(overtaken) < CROWD / 3
    await asyncio.gather(*crowd)
    assert served == CROWD
