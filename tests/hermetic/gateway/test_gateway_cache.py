"""Answers that were given before: only where asked for, only of the same version, only at 0."""

from __future__ import annotations


async def test_the_same_question_is_answered_once_by_the_engine(start, v1, v2, to):
    demo = await start(cache_bytes=1_000_000)
    await demo.publish(to(v1))
    bodies = []
    for _ in range(2):
        async with demo.post(demo.chat("the same", temperature=0)) as answer:
            bodies.append(await answer.read())
    assert answer.headers["x-slipway-cache"] == "hit"
    assert answer.headers["x-slipway-version"] == "v1"
    assert bodies[0] == bodies[1]
    assert len(v1.calls.bodies) == 1
    for text, fields in (("another", {"temperature": 0}), ("the same", {"temperature": 1})):
        async with demo.post(demo.chat(text, **fields)) as answer:
            assert "x-slipway-cache" not in answer.headers
    await demo.publish(to(v2))
    async with demo.post(demo.chat("the same", temperature=0)) as answer:
        assert (answer.headers["x-slipway-version"], len(v2.calls.bodies)) == ("v2", 1)


async def test_what_failed_is_asked_again(start, v1, to):
    demo = await start(cache_bytes=1_000_000)
    await demo.publish(to(v1))
    for _ in range(2):
        async with demo.post(demo.chat("!error500", temperature=0)) as answer:
            assert answer.status == 500
    assert len(v1.calls.bodies) == 2
