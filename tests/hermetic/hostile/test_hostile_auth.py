"""No key, no answer: every route that is not open, every spelling, every wrong credential.

The routes come from the gateway's own OpenAPI document, so that one added later is tested too. Also
what a key that is for one Model may see of another.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import pytest
from auth_requests import OPEN, Operation, Secrets, credentials, operations, targets
from fault_server import FaultServer
from gateway_process import eventually
from hostile_site import Site, bounded
from raw_http import read_responses, talk

from slipway_store.connect import open_pool
from slipway_store.keys import create_key, revoke_key

CONCURRENCY = 24


class Result:
    """(name, target, status, body) of each answer, and what the engine of Model ``b`` saw."""

    def __init__(self) -> None:
        self.by_credential: list[tuple[str, str, int]] = []
        self.by_target: list[tuple[str, str, int]] = []
        self.operations: list[Operation] = []
        self.crossings: list[tuple[str, int, str]] = []
        self.listed: list[str] = []
        self.good: list[int] = []
        self.engine: list[str] = []
        self.log = ""
        self.keys: Secrets | None = None


async def _keys(site: Site) -> Secrets:
    pool = await open_pool(site.dsn)
    try:
        _, good = await create_key(pool, name="good")
        _, other = await create_key(pool, name="other", models=["a"])
        dead, revoked = await create_key(pool, name="revoked")
        await revoke_key(pool, dead.id)
        soon = datetime.now(UTC) + timedelta(seconds=0.5)
        _, expired = await create_key(pool, name="expired", expires_at=soon)
    finally:
        await pool.close()
    return Secrets(good=good, other=other, revoked=revoked, expired=expired)


async def ask(
    site: Site, operation: Operation, lines: list[str], target: str = ""
) -> tuple[int, bytes]:
    """(status, body); (0, b"") for a connection that was closed without an answer."""
    body = operation.body
    head = [f"{operation.method} {target or operation.path} HTTP/1.1", "host: localhost", *lines]
    head += ["content-type: application/json", f"content-length: {len(body)}", "connection: close"]
    data = "\r\n".join([*head, "", ""]).encode() + body
    got = await talk(site.port, [data])
    assert got.closed, data[:300]
    found = read_responses(got.data, [operation.method.encode()])
    return (found[0].status, found[0].body) if found else (0, b"")


async def _run(site: Site) -> Result:
    result = Result()
    result.keys = keys = await _keys(site)
    async with FaultServer() as a, FaultServer() as b, aiohttp.ClientSession() as session:
        await site.publish({"a": a.url})
        await site.publish({"b": b.url}, default=True)
        async with session.get(site.gateway.url + "/openapi.json") as answer:
            result.operations = operations(await answer.json())
        chat = next(o for o in result.operations if o.path == "/v1/chat/completions")

        async def admitted() -> bool:
            lines = [f"authorization: Bearer {keys.good}"]
            expired = [f"authorization: Bearer {keys.expired}"]
            good, old = await asyncio.gather(ask(site, chat, lines), ask(site, chat, expired))
            return (good[0], old[0]) == (200, 401)

        await eventually(admitted, what="the keys")
        await _sweep(site, result, keys)
        a.seen.clear()
        b.seen.clear()
        await _cross(site, result, keys)
        result.engine = list(b.seen)
    result.log = site.gateway.log.read_text()
    return result


async def _sweep(site: Site, result: Result, keys: Secrets) -> None:
    async def credential(operation: Operation, name: str, lines: list[str]) -> None:
        status, _ = await ask(site, operation, lines)
        result.by_credential.append((name, f"{operation.method} {operation.path}", status))

    async def target(operation: Operation, spelling: str) -> None:
        status, _ = await ask(site, operation, [], spelling)
        result.by_target.append((spelling, f"{operation.method} {operation.path}", status))

    work = []
    for operation in result.operations:
        work += [credential(operation, *pair) for pair in credentials(keys).items()]
        work += [target(operation, spelling) for spelling in targets(operation.path)]
    await bounded(work, CONCURRENCY)


async def _cross(site: Site, result: Result, keys: Secrets) -> None:
    """The key for Model ``a`` at everything that is ``b``'s."""
    lines = [f"authorization: Bearer {keys.other}"]
    chat = "/v1/chat/completions"
    names = [
        "b",
        "B",
        "b ",
        " b",
        "b\0",
        "a/../b",
        "./b",
        "b/",
        "b,a",
        "a,b",
        "*",
        "%62",
        "b#a",
        "",
    ]
    calls = [
        (chat, {"model": name, "messages": [{"role": "user", "content": "x"}]}) for name in names
    ]
    calls += [(chat, {"model": ["b"], "messages": [{"role": "user", "content": "x"}]})]
    calls += [("/v1/completions", {"model": "b", "prompt": "x"})]
    calls += [("/forward", {"text": "x"}), ("/forward_batch", {"texts": ["x"]})]
    calls += [("/forward", {"text": "x", "model": "a"})]
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {keys.other}"}) as session:
        for path, fields in calls:
            async with session.post(site.gateway.url + path, json=fields) as answer:
                text = await answer.text()
                result.crossings.append((f"{path} {json.dumps(fields)}", answer.status, text))
        for path in ("/v1/models/b", "/v1/models/%62", "/metadata"):
            async with session.get(site.gateway.url + path) as answer:
                result.crossings.append((path, answer.status, await answer.text()))
        async with session.get(site.gateway.url + "/v1/models") as answer:
            result.listed = [card["id"] for card in (await answer.json())["data"]]
    own = Operation(method="POST", path=chat)
    result.good.append((await ask(site, own, lines))[0])


@pytest.fixture(scope="module")
def result(campaign: Any) -> Result:
    return campaign(_run, keyless_loopback="false")


def test_there_are_enough_of_them(result: Result) -> None:
    print(f"{len(result.by_credential)} wrong credentials, {len(result.by_target)} spellings")
    assert len(result.operations) >= 8
    assert len(result.by_credential) + len(result.by_target) >= 200


def test_no_wrong_credential_is_answered(result: Result) -> None:
    assert [row for row in result.by_credential if not 400 <= row[2] < 500] == []


def test_no_spelling_of_a_path_needs_no_key(result: Result) -> None:
    def is_open(target: str) -> bool:
        path = urlsplit(target).path if "://" in target[:9] else target.split("?")[0].split("#")[0]
        return unquote(path).rstrip("\n") in OPEN

    answered = [row for row in result.by_target if 200 <= row[2] < 400 and not is_open(row[0])]
    assert answered == []


def test_no_spelling_of_a_path_is_an_error_of_ours(result: Result) -> None:
    """But for a newline after a hot path, which the table of hostile clients has."""
    assert [row for row in result.by_target if row[2] >= 500 and "%0a" not in row[0]] == []


def test_a_key_for_one_model_reaches_no_other(result: Result) -> None:
    assert [(what, status) for what, status, _ in result.crossings if status < 400] == []
    assert result.engine == []
    assert result.listed == ["a"]
    assert result.good == [200]


def test_the_log_of_the_process_holds_no_key(result: Result) -> None:
    assert result.keys is not None
    for secret in (result.keys.good, result.keys.other, result.keys.revoked, result.keys.expired):
        assert secret[17:] not in result.log
    assert "Traceback" not in result.log
