"""Split, stickiness, retry, guard, shadow and overdue against two engines."""

from __future__ import annotations

import asyncio
import random

from gateway_process import eventually

from slipway_contracts.route import ShadowRoute
from slipway_store.routes import guard_trips, live_heartbeats

NOBODY = "http://127.0.0.1:9"


async def test_a_conversation_stays_and_never_goes_back_while_the_weight_rises(demo, v1, v2, to):
    names = [f"conv-{number}" for number in range(40)]
    taken: set[str] = set()
    for weight in (10, 50, 90):
        await demo.publish(to(v2, weight, "candidate"), to(v1, 100 - weight))
        asked = names * 2
        random.Random(weight).shuffle(asked)
        answers = await asyncio.gather(
            *(demo.ask(headers={"x-conversation-id": name}) for name in asked)
        )
        versions: dict[str, set[str]] = {}
        for name, (status, version, _) in zip(asked, answers, strict=True):
            assert status == 200
            versions.setdefault(name, set()).add(version)
        assert all(len(seen) == 1 for seen in versions.values())
        now = {name for name, seen in versions.items() if seen == {"v2"}}
        assert taken <= now
        taken = now
    assert 25 < len(taken) < 40


async def test_header_and_log_agree_on_the_version(demo, v1, v2, to):
    await demo.publish(to(v2, 50, "candidate"), to(v1, 50))
    answers = [await demo.ask(f"question {number}") for number in range(12)]
    assert {version for _, version, _ in answers} == {"v1", "v2"}
    for _, version, request_id in answers:
        (row,) = await demo.rows(request_id)
        assert row["version"] == version
        assert row["routes_revision"] > 0


async def test_a_retry_on_stable_is_a_row_of_its_own(demo, v1, to):
    await demo.publish(to(NOBODY, 99, "candidate", version="v2"), to(v1, 1))
    status, version, request_id = await demo.ask()
    assert (status, version) == (200, "v1")
    rows = await demo.rows(request_id, 2)
    assert [(row["version"], row["error"], row["status"]) for row in rows] == [
        ("v2", True, 503),
        ("v1", False, 200),
    ]


async def test_a_candidate_without_room_is_retried_a_broken_one_is_not(demo, v1, v2, to):
    await demo.publish(to(v2, 99, "candidate"), to(v1, 1))
    v2.script.status = 503
    status, version, request_id = await demo.ask()
    assert (status, version) == (200, "v1")
    await demo.rows(request_id, 2)
    v2.script.status = 500
    status, version, request_id = await demo.ask()
    assert (status, version) == (500, "v2")
    assert len(await demo.rows(request_id)) == 1


async def test_no_retry_after_the_first_byte(demo, v1, v2, to):
    await demo.publish(to(v2, 99, "candidate"), to(v1, 1))
    _, version, request_id = await demo.ask("!die", stream=True)
    assert version == "v2"
    assert len(await demo.rows(request_id)) == 1
    assert v1.calls.bodies == []


async def test_a_serve_proxy_without_the_application_counts_as_away(demo, v1, v2, to):
    """Ray Serve answers 404 in plain text for a route prefix that it does not have."""
    await demo.publish(to(v2.url + "/gone", 99, "candidate", version="v2"), to(v1, 1))
    status, version, request_id = await demo.ask()
    assert (status, version) == (200, "v1")
    rows = await demo.rows(request_id, 2)
    assert rows[0]["error"]


async def test_the_guard_stops_a_candidate_at_once_and_tells(demo, v1, v2, to, guard):
    rule = guard(rollout_id=demo.model, min_requests=20)
    await demo.publish(to(v2, 50, "candidate"), to(v1, 50), guard=rule)
    v2.script.status = 500
    bad = 0
    for number in range(200):
        _, version, _ = await demo.ask(f"q{number}")
        bad += version == "v2"
        if bad == 20:
            break
    assert bad == 20
    after = [await demo.ask(f"later {number}") for number in range(40)]
    assert {(status, version) for status, version, _ in after} == {(200, "v1")}

    async def trips():
        return await guard_trips(demo.pool, demo.model, demo.model)

    (trip,) = await eventually(trips, what="the trip's row")
    assert (trip.candidate_requests, trip.candidate_bad, trip.gateway) == (20, 20, "shared")
    again = guard(rollout_id=demo.model + "-again")
    await demo.publish(to(v2, 50, "candidate"), to(v1, 50), guard=again)
    assert "v2" in {(await demo.ask(f"new {number}"))[1] for number in range(40)}


async def test_a_shadow_gets_a_copy_and_returns_nothing(demo, v1, v2, to):
    shadow = ShadowRoute(version="v2", url=v2.url, sample=1.0)
    await demo.publish(to(v1), shadow=shadow)
    v2.script.word = "other"
    for stream in (False, True):
        body = demo.chat("copy me", stream=stream)
        async with demo.post(body) as answer:
            assert "other" not in await answer.text()
        assert answer.headers["x-slipway-version"] == "v1"
        copy, original = await demo.rows(answer.headers["x-request-id"], 2)
        assert (copy["shadow"], copy["version"], copy["attempt"]) == (True, "v2", 0)
        assert "other" in copy["output_text"]
        assert (original["shadow"], original["version"]) == (False, "v1")
        assert v2.calls.bodies[-1] == body


async def test_a_shadow_that_hangs_or_fails_delays_nobody(demo, v1, v2, to):
    v2.script.hang = True
    await demo.publish(to(v1), shadow=ShadowRoute(version="v2", url=v2.url, sample=1.0))
    answers = await asyncio.gather(*(demo.ask(f"q{number}") for number in range(30)))
    assert {(status, version) for status, version, _ in answers} == {(200, "v1")}
    # Copies are bounded.
    await eventually(lambda: v2.calls.open == 8, what="8 copies")
    await demo.publish(to(v1), shadow=ShadowRoute(version="v2", url=NOBODY, sample=1.0))
    assert (await demo.ask())[0] == 200


async def test_a_stream_without_its_first_byte_is_overdue_now(demo, v1, to):
    await demo.publish(to(v1), overdue_ms=50)
    v1.script.first_byte_delay = 0.6
    task = asyncio.create_task(
        demo.ask(stream=True, headers={"x-request-id": f"late-{demo.model}"})
    )

    async def event():
        return await demo.pool.fetchrow(
            "SELECT * FROM overdue_events WHERE model_name = $1", demo.model
        )

    found = await eventually(event, what="the overdue event")
    assert (found["version"], found["attempt"]) == ("v1", 1)
    _, _, request_id = await task
    assert found["request_id"] == request_id
    (row,) = await demo.rows(request_id)
    assert row["overdue"]
    v1.script.first_byte_delay = 0
    _, _, quick = await demo.ask(stream=True)
    assert not (await demo.rows(quick))[0]["overdue"]


async def test_the_heartbeat_tells_revision_watermark_and_what_is_in_flight(demo, v1, to):
    version = f"version-{demo.model}"
    route = await demo.publish(to(v1, version=version))
    task = asyncio.create_task(demo.ask("!hang"))

    async def busy():
        (beat,) = await live_heartbeats(demo.pool)
        return beat if beat.in_flight.get(version) == 1 else None

    beat = await eventually(busy, what="in flight")
    assert beat.revision >= route.revision
    assert 0 <= (beat.at - beat.watermark).total_seconds() < 10
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    async def idle():
        (later,) = await live_heartbeats(demo.pool)
        return later if version not in later.in_flight else None

    later = await eventually(idle, what="nothing in flight")
    assert later.watermark > beat.watermark


async def test_feedback_is_stored(demo, v1, to):
    await demo.publish(to(v1))
    _, _, request_id = await demo.ask()
    body = {"request_id": request_id, "thumbs_down": True}
    async with demo.post(
        body, "/v1/feedback", headers={"content-type": "application/json"}
    ) as answer:
        assert answer.status == 202
    row = await demo.pool.fetchrow("SELECT * FROM feedback WHERE request_id = $1", request_id)
    assert row["thumbs_down"]
    async with demo.post({"thumbs_down": 1}, "/v1/feedback") as answer:
        assert answer.status == 400


async def test_few_judgements_wait_for_answers_that_nobody_gave(demo, v1, to):
    async def judge(number):
        body = {"request_id": f"nobody-{number}", "thumbs_down": True}
        async with demo.post(
            body, "/v1/feedback", headers={"content-type": "application/json"}
        ) as answer:
            return answer.status, answer.headers.get("retry-after")

    found = await asyncio.gather(*(judge(number) for number in range(90)))
    assert set(found) <= {(404, None), (503, "5")}
    assert (503, "5") in found
    assert (404, None) in found
