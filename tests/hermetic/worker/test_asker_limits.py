"""What the worker asks for others is limited and counted as theirs; nobody else may do so."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from answer_site import PROCESSING, Site
from gateway_process import eventually, fresh_minute

from slipway_contracts.behalf import Asker, credential_for
from slipway_store import jobs
from slipway_store.audit import SYSTEM
from slipway_store.keys import Endpoint, NewKey, get_key, insert_key, make_key
from slipway_store.quotas import LimitRules
from slipway_store.tenants import TenantSettings, create_tenant

OWN = "slw_0123456789ab_" + "x" * 43
CHAT = "/v1/chat/completions"
KEYED = pytest.mark.parametrize("gateway_settings", [{"keyless_loopback": False}], ids=["keys"])


async def a_tenant(site: Site, **limits: int) -> str:
    """The secret of a key of the new tenant acme."""
    settings = TenantSettings(limits=LimitRules(**limits))
    await create_tenant(site.pool, "acme", settings, actor=SYSTEM)
    _, secret = await make_key(site.pool, NewKey(name="one", tenant="acme"))

    async def known() -> bool:
        return (await site.call("GET", "/v1/models", key=secret))[0] == 200

    await eventually(known, what="the key")
    return secret


async def rows(site: Site, count: int) -> list[dict[str, Any]]:
    async def logged() -> Any:
        found = await site.pool.fetch("SELECT tenant, key_id FROM request_logs")
        return found if len(found) >= count else None

    return [dict(row) for row in await eventually(logged, what=f"{count} rows")]


@KEYED
async def test_an_answer_counts_for_who_asked(site: Site) -> None:
    key = await a_tenant(site)
    await site.work(api_key=OWN)
    question, _ = await site.ask("whose?", key=key)
    await site.answered(question, key=key)
    [row] = await rows(site, 1)
    assert row == {"tenant": "acme", "key_id": key.split("_")[1]}


@KEYED
async def test_a_tenants_limit_holds_for_its_questions_and_its_answers(site: Site) -> None:
    """Three requests a minute: two questions, and one of their answers; the other one waits."""
    key = await a_tenant(site, requests_per_minute=3)
    await fresh_minute(site.pool, seconds=40)
    for text in ("first", "second"):
        assert (await site.ask(text, key=key))[1] == PROCESSING
    await site.work(api_key=OWN)
    await rows(site, 1)

    async def waits() -> bool:
        return [job.state for job in await jobs.list_queued(site.pool)] == ["delayed"]

    await eventually(waits, what="the other question to wait")
    status, body = await site.call("POST", "/api/ask", {"question_text": "third"}, key=key)
    assert (status, body["error"]["param"]) == (429, "requests_per_minute")
    assert len(await rows(site, 1)) == 1
    assert await jobs.list_dead(site.pool) == []


@KEYED
async def test_a_batch_counts_for_who_made_it(site: Site) -> None:
    key = await a_tenant(site)
    await site.work(api_key=OWN)
    file = await upload(site, key, requests(2))
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    status, made = await site.call("POST", "/v1/batches", body, key=key)
    assert status == 200, made
    assert {tuple(row.values()) for row in await rows(site, 2)} == {("acme", key.split("_")[1])}


def requests(count: int) -> bytes:
    body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
    lines = (
        {"custom_id": f"r{n}", "method": "POST", "url": CHAT, "body": body} for n in range(count)
    )
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


async def upload(site: Site, key: str, content: bytes) -> str:
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", content, filename="in.jsonl")
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            site.gateway.url + "/v1/files", data=form, headers={"authorization": f"Bearer {key}"}
        ) as answer,
    ):
        body = await answer.json()
        assert answer.status == 200, body
        return str(body["id"])


@KEYED
async def test_nobody_else_asks_for_others(site: Site) -> None:
    key = await a_tenant(site)
    told = credential_for(key, Asker(tenant="other"))
    chat = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
    for method, path, body in (
        ("POST", CHAT, chat),
        ("GET", "/v1/models", None),
        ("POST", "/api/ask", {"question_text": "x"}),
    ):
        status, answer = await site.call(method, path, body, key=told)
        assert (status, answer["error"]["code"]) == (403, "endpoint_not_allowed")
    status, _ = await site.call("POST", CHAT, chat, key=f"{key} for nonsense")
    assert status == 400
    status, _ = await site.call("POST", CHAT, chat, key=credential_for(OWN, Asker(tenant="acme")))
    assert status == 401
    assert site.engine.calls.bodies == []


@KEYED
async def test_who_asks_for_others_reaches_no_more_than_its_own_key(site: Site) -> None:
    await a_tenant(site)
    await site.work(api_key=OWN)
    told = credential_for(OWN, Asker(tenant="acme"))

    async def known() -> bool:
        return (await site.call("GET", "/v1/models", key=told))[0] != 401

    await eventually(known, what="the worker's key")
    for method, path in (("GET", "/v1/files"), ("GET", "/admin/keys"), ("GET", "/api/answer/1")):
        assert (await site.call(method, path, key=told))[0] == 403


@KEYED
async def test_the_key_of_an_older_worker_is_widened_once(site: Site) -> None:
    old = (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS, Endpoint.RESPONSES)
    await insert_key(site.pool, OWN, name="worker", endpoints=old, priority=-10)
    await site.work(api_key=OWN)

    async def widened() -> bool:
        found = await get_key(site.pool, "0123456789ab")
        return found.endpoints == (*old, Endpoint.ON_BEHALF)

    await eventually(widened, what="the worker's key")
