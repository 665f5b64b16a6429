"""S4 from end to end: asked, not ready, answered by the worker, and asked again at once."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from answer_site import NOT_READY, PROCESSING, Site
from gateway_process import GatewayProcess, eventually

from slipway_store import jobs
from slipway_store.keys import create_key, list_keys, revoke_key


async def test_asked_not_ready_answered_and_then_at_once(site: Site) -> None:
    question, said = await site.ask("Что такое нефть?")
    assert (question, said) == (1, PROCESSING)
    assert await site.answer(question) == NOT_READY
    await site.work()
    assert await site.answered(question) == "word word word word word"
    again, said = await site.ask("Что такое нефть?")
    assert (again, said) == (2, "word word word word word")
    assert await site.answer(again) == said
    assert len(site.engine.calls.bodies) == 1
    stored = await site.pool.fetchrow("SELECT * FROM questions WHERE id = 1")
    assert (stored["state"], stored["version"], stored["model"]) == ("answered", "v1", "demo")

    async def logged() -> bool:
        found = await site.pool.fetchval(
            "SELECT count(*) FROM request_logs WHERE request_id = $1", stored["request_id"]
        )
        return found == 1

    await eventually(logged, what="the answer's row in the log")


async def test_another_version_answers_anew(site: Site) -> None:
    await site.work()
    first, _ = await site.ask("same")
    await site.answered(first)
    await site.publish("v2")
    second, said = await site.ask("same")
    assert said == PROCESSING
    await site.answered(second)
    versions = await site.pool.fetch("SELECT version FROM questions ORDER BY id")
    assert [row["version"] for row in versions] == ["v1", "v2"]
    assert (await site.ask("same"))[1] != PROCESSING


async def test_another_tenants_question_is_not_found(site: Site) -> None:
    _, acme = await create_key(site.pool, name="acme")
    _, other = await create_key(site.pool, name="other")

    async def known() -> bool:
        found = [await site.call("GET", "/v1/models", key=key) for key in (acme, other)]
        return all(status == 200 for status, _ in found)

    await eventually(known, what="both keys")
    await site.work()
    question, _ = await site.ask("mine", key=acme)
    await site.answered(question, key=acme)
    for key in (other, ""):
        status, body = await site.call("GET", f"/api/answer/{question}", key=key)
        assert (status, body["error"]["code"]) == (404, "question_not_found")
    assert (await site.ask("mine", key=other))[1] == PROCESSING


@pytest.mark.parametrize("gateway_settings", [{"keyless_loopback": False}], ids=["keys"])
async def test_a_worker_has_a_key_of_its_own_for_little_and_of_low_priority(site: Site) -> None:
    _, acme = await create_key(site.pool, name="acme")

    async def known() -> bool:
        return (await site.call("GET", "/v1/models", key=acme))[0] == 200

    await eventually(known, what="the key")
    question, _ = await site.ask("whose?", key=acme)
    own = "slw_0123456789ab_" + "x" * 43
    await site.work(api_key=own)
    assert await site.answered(question, key=acme) == "word word word word word"
    [record] = [key for key in await list_keys(site.pool) if key.name == "worker"]
    assert (record.tenant, record.priority) == ("worker", -10)
    assert (await site.call("GET", f"/api/answer/{question}", key=own))[0] == 403

    await revoke_key(site.pool, record.id)
    waiting, _ = await site.ask("and now?", key=acme)
    await site.work(api_key=own)
    assert [key.live(datetime.now(UTC)) for key in await list_keys(site.pool)].count(True) == 1
    assert await site.answer(waiting, key=acme) == NOT_READY


@pytest.mark.parametrize("question", [0, -1, 999, 2**63, 10**30])
async def test_an_unknown_question_is_not_found(site: Site, question: int) -> None:
    status, body = await site.call("GET", f"/api/answer/{question}")
    assert (status, body["error"]["code"]) == (404, "question_not_found")


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"question_text": ""}, {"question_text": 1}, {"question_text": "a\0b"}),
        *({"text": "a"}, {"question_text": "x" * 32_769}, {"question_text": "\ud800"}),
    ],
    ids=["missing", "empty", "number", "nul", "other", "long", "surrogate"],
)
async def test_a_wrong_body_is_told_with_the_field(site: Site, body: Any) -> None:
    status, answer = await site.call("POST", "/api/ask", body)
    assert status == 400, answer
    assert answer["error"]["param"] == "question_text"
    assert await site.pool.fetchval("SELECT count(*) FROM pgqueuer") == 0


async def test_a_question_id_that_is_no_number_is_told(site: Site) -> None:
    status, body = await site.call("GET", "/api/answer/abc")
    assert (status, body["error"]["param"]) == (400, "question_id")


async def test_no_capacity_is_waited_for_and_costs_no_attempt(site: Site) -> None:
    site.engine.script.status = 503
    worker = await site.work(max_attempts=1)
    question, _ = await site.ask("patience")

    async def refused() -> bool:
        text = await worker.get("/metrics") or ""
        later = re.findall(r'^slipway_worker_runs_total{.*outcome="later"} (.+)$', text, re.M)
        return any(float(count) > 0 for count in later)

    await eventually(refused, what="a refusal")
    assert await site.answer(question) == NOT_READY
    site.engine.script.status = 200
    assert await site.answered(question) == "word word word word word"


async def test_a_broken_engine_is_given_up_with_a_plain_answer_and_can_be_retried(
    site: Site,
) -> None:
    await site.work(max_attempts=2)
    question, _ = await site.ask("!badjson?")
    assert await site.answered(question) == "Не удалось получить ответ на ваш вопрос."
    [dead] = await jobs.list_dead(site.pool)
    assert (dead.kind, dead.attempts) == ("question", 2)
    await site.pool.execute("UPDATE questions SET question_text = 'fine'")
    await jobs.retry_dead(site.pool)
    assert await site.answered(question) == "word word word word word"


async def test_a_refused_question_says_why(site: Site) -> None:
    await site.work()
    question, _ = await site.ask("!error400")
    said = await site.answered(question)
    assert said.startswith("Не удалось получить ответ на ваш вопрос. Причина: ")
    assert "temperature" in said
    assert len(site.engine.calls.bodies) == 1


async def test_without_a_model_asking_is_refused_for_now(dsn: str, tmp_path: Path) -> None:
    gateway = GatewayProcess(dsn, tmp_path).spawn()
    try:
        await gateway.ready()
        async with (
            aiohttp.ClientSession() as session,
            session.post(gateway.url + "/api/ask", json={"question_text": "?"}) as answer,
        ):
            assert answer.status == 503
            assert answer.headers["retry-after"]
    finally:
        await gateway.kill()


async def test_many_ask_at_once(site: Site) -> None:
    await site.work()
    asked = await asyncio.gather(*(site.ask(f"question {n}") for n in range(50)))
    assert sorted(question for question, _ in asked) == list(range(1, 51))
    await asyncio.gather(*(site.answered(question) for question, _ in asked))
    assert len(site.engine.calls.bodies) == 50
