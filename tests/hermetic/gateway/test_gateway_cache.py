"""Answers that were given before: only where asked for, only of the same version, only at 0."""

from __future__ import annotations

from datetime import timedelta

from gateway_process import eventually

from slipway_contracts.attempt import CACHED
from slipway_store.counts import StepWindow, rollout_counts
from slipway_store.traffic import baseline, over_time, summary
from slipway_store.usage import read_usage

JSON = {"content-type": "application/json"}


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


async def test_a_cached_answer_is_in_the_log_and_the_usage_and_may_be_judged(start, v1, to):
    demo = await start(cache_bytes=1_000_000)
    await demo.publish(to(v1))
    for _ in range(3):
        async with demo.post(demo.chat("the same", temperature=0)) as answer:
            await answer.read()
    (row,) = await demo.rows(answer.headers["x-request-id"])
    assert (row["attempt"], row["version"], row["status"]) == (CACHED, "v1", 200)
    assert (row["input_text"], row["output_text"]) == ("the same", "word word word word word")
    assert (row["prompt_tokens"], row["finish_reason"]) == (None, "stop")
    judgement = {"request_id": answer.headers["x-request-id"], "thumbs_down": True}
    async with demo.post(judgement, "/v1/feedback", headers=JSON) as judged:
        assert judged.status == 202, await judged.text()
    day = row["timestamp"].date()

    async def counted():
        found = await read_usage(demo.pool, first=day, last=day, model=demo.model)
        return found[0] if found and found[0].requests == 3 else None

    line = await eventually(counted, what="three requests")
    assert (line.cached, line.attempts, line.completion_tokens) == (2, 1, 5)
    begin, end = row["timestamp"] - timedelta(hours=1), row["timestamp"] + timedelta(hours=1)
    (traffic,) = await over_time(
        demo.pool, model=demo.model, since=begin, until=end, seconds=86_400
    )
    assert traffic.requests == 1
    rest = {"model": demo.model, "version": "v1"}
    assert (await summary(demo.pool, since=begin, **rest)).requests == 1
    assert (await baseline(demo.pool, now=row["timestamp"], **rest)).requests == 1
    step = StepWindow(index=0, started_at=begin)
    counts = await rollout_counts(
        demo.pool, model=demo.model, candidate="v1", stable=None, steps=[step], watermark=end
    )
    by_metric = {one.metric: one.n for one in counts}
    assert (by_metric["error"], by_metric.get("thumbs_down")) == (1, None)


async def test_what_failed_is_asked_again(start, v1, to):
    demo = await start(cache_bytes=1_000_000)
    await demo.publish(to(v1))
    for _ in range(2):
        async with demo.post(demo.chat("!error500", temperature=0)) as answer:
            assert answer.status == 500
    assert len(v1.calls.bodies) == 2
