"""What a valid key must not reach: other tenants' questions and requests, endpoints out of its
scope, administration. Every operation of the OpenAPI document is asked with every kind of key.
"""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from auth_requests import Operation, operations
from fault_server import FaultServer
from gateway_process import eventually
from hostile_site import Site, bounded

from slipway_store.connect import open_pool
from slipway_store.keys import Endpoint, NewKey, create_key, make_key

# Where each scope leads; a path that is in none of them is for every key.
SCOPES = {
    Endpoint.CHAT: ("/v1/chat/completions",),
    Endpoint.COMPLETIONS: ("/v1/completions",),
    Endpoint.EMBEDDINGS: ("/v1/embeddings",),
    Endpoint.RESPONSES: ("/v1/responses",),
    Endpoint.MODELS: ("/v1/models", "/metadata"),
    Endpoint.FILES: ("/v1/files",),
    Endpoint.BATCHES: ("/v1/batches",),
    Endpoint.FORWARD: ("/forward", "/forward_batch"),
    Endpoint.ASK: ("/api/",),
    Endpoint.FEEDBACK: ("/v1/feedback",),
    Endpoint.ADMIN: ("/admin",),
}


def scope_of(path: str) -> Endpoint | None:
    """The scope that a path needs."""
    found = [e for e, starts in SCOPES.items() if any(path.startswith(start) for start in starts)]
    return found[0] if found else None


class Result:
    """Answers by what was tried."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.scoped: list[tuple[str, str, int]] = []
        self.plain: list[tuple[str, int]] = []
        self.own: list[int] = []
        self.foreign: list[tuple[str, int, str]] = []
        self.texts: list[str] = []
        self.batch_of_foreign_file = 0


async def _ask(
    session: aiohttp.ClientSession, site: Site, operation: Operation, key: str
) -> tuple[int, str]:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    url = site.gateway.url + operation.path
    async with session.request(
        operation.method, url, data=operation.body or None, headers=headers
    ) as answer:
        return answer.status, await answer.text()


async def _run(site: Site) -> Result:
    result = Result()
    pool = await open_pool(site.dsn)
    _, plain = await create_key(pool, name="plain")
    _, other = await create_key(pool, name="other")
    scoped = {
        scope: (await make_key(pool, NewKey(name=f"only {scope}", endpoints=(scope,))))[1]
        for scope in Endpoint
    }
    await pool.close()
    async with FaultServer() as engine, aiohttp.ClientSession() as session:
        await site.publish({"a": engine.url}, default=True)
        async with session.get(site.gateway.url + "/openapi.json") as answer:
            result.operations = operations(await answer.json())
        models = Operation(method="GET", path="/v1/models")

        async def admitted() -> bool:
            statuses = [(await _ask(session, site, models, key))[0] for key in (plain, other)]
            return statuses == [200, 200]

        await eventually(admitted, what="the keys")

        async def try_scoped(scope: Endpoint, operation: Operation) -> None:
            status, _ = await _ask(session, site, operation, scoped[scope])
            result.scoped.append((scope, operation.path, status))

        work = [try_scoped(s, o) for s in Endpoint for o in result.operations]
        await bounded(work, 8)
        for operation in result.operations:
            if operation.path.startswith("/admin"):
                status, _ = await _ask(session, site, operation, plain)
                result.plain.append((f"{operation.method} {operation.path}", status))
        await _foreign(result, site, session, plain, other)
        await _foreign_files(result, site, session, plain, other)
    return result


async def _foreign(
    result: Result, site: Site, session: aiohttp.ClientSession, plain: str, other: str
) -> None:
    """``other`` at what is ``plain``'s."""
    mine = {"authorization": f"Bearer {plain}"}
    theirs = {"authorization": f"Bearer {other}"}
    url = site.gateway.url
    async with session.post(
        url + "/api/ask", json={"question_text": "ours"}, headers=mine
    ) as answer:
        number = (await answer.json())["question_id"]
    chat = {"model": "a", "messages": [{"role": "user", "content": "ours"}]}
    named = mine | {"x-request-id": "request-of-plain"}
    async with session.post(url + "/v1/chat/completions", json=chat, headers=named) as answer:
        result.own.append(answer.status)
    await site.rows(["request-of-plain"])
    for headers, into in ((mine, None), (theirs, result.foreign)):
        async with session.get(f"{url}/api/answer/{number}", headers=headers) as answer:
            said = ("answer", answer.status, await answer.text())
        result.own.append(said[1]) if into is None else into.append(said)
        judged = {"request_id": "request-of-plain", "thumbs_down": True}
        async with session.post(url + "/v1/feedback", json=judged, headers=headers) as answer:
            said = ("feedback", answer.status, await answer.text())
        result.own.append(said[1]) if into is None else into.append(said)


async def _foreign_files(
    result: Result, site: Site, session: aiohttp.ClientSession, plain: str, other: str
) -> None:
    """``other`` at a file and a batch of ``plain``'s."""
    mine = {"authorization": f"Bearer {plain}"}
    theirs = {"authorization": f"Bearer {other}"}
    body = {"model": "a", "messages": [{"role": "user", "content": "x"}]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", json.dumps(line).encode() + b"\n", filename="our-lines.jsonl")
    url = site.gateway.url + "/v1"
    async with session.post(url + "/files", data=form, headers=mine) as answer:
        result.own.append(answer.status)
        file = (await answer.json())["id"]
    wanted = {
        "input_file_id": file,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    async with session.post(url + "/batches", json=wanted, headers=theirs) as answer:
        result.batch_of_foreign_file = answer.status
    async with session.post(url + "/batches", json=wanted, headers=mine) as answer:
        result.own.append(answer.status)
        batch = (await answer.json())["id"]
    for method, path in (
        ("GET", f"/files/{file}"),
        ("GET", f"/files/{file}/content"),
        ("GET", f"/batches/{batch}"),
        ("POST", f"/batches/{batch}/cancel"),
        ("DELETE", f"/files/{file}"),
    ):
        async with session.request(method, url + path, headers=theirs) as answer:
            result.foreign.append((f"{method} {path}", answer.status, await answer.text()))
    for path in ("/files", "/batches"):
        async with session.get(url + path, headers=theirs) as answer:
            text = await answer.text()
            result.texts += [text] if file in text or batch in text else []
        async with session.get(url + path, headers=mine) as answer:
            result.own.append(answer.status)


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run, keyless_loopback="false")


def test_a_scoped_key_reaches_its_own_endpoints_only(result: Result) -> None:
    foreign = [row for row in result.scoped if scope_of(row[1]) not in (None, row[0])]
    # FastAPI refuses a body that is wrong before it asks who sent it.
    outside = [row for row in foreign if row[2] not in (400, 403)]
    assert outside == []
    inside = {row[0] for row in result.scoped if scope_of(row[1]) == row[0] and row[2] < 400}
    assert {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.MODELS, Endpoint.FORWARD} <= inside


def test_every_operation_has_a_scope(result: Result) -> None:
    """One that is added later must say who may use it."""
    assert [o.path for o in result.operations if scope_of(o.path) is None] == []


def test_an_ordinary_key_administers_nothing(result: Result) -> None:
    assert result.plain
    assert [row for row in result.plain if row[1] not in (400, 403)] == []
    assert 403 in {row[1] for row in result.plain}


def test_another_tenant_sees_and_judges_nothing(result: Result) -> None:
    assert [status // 100 for status in result.own] == [2] * len(result.own)
    assert [row for row in result.foreign if row[1] != 404] == []
    assert 400 <= result.batch_of_foreign_file < 500
    assert result.texts == []
