"""Seeded secrets through every path, error paths too: none comes out again.

Keys: not in answers, the process's output, metrics, the database or the slot's files. Prompts: only
in the texts of the attempts log. The database's password: nowhere, also while it is away.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from fault_server import (
    Close,
    FaultServer,
    Reset,
    Script,
    Scripts,
    chunk,
    event,
    http,
    piece,
    stream_head,
)
from gateway_process import eventually
from hostile_site import Site, bounded
from postgres_proxy import PostgresProxy
from postgres_server import in_thread
from raw_http import talk
from secrets_seeded import FAULTS, PLACES, Planted, keys, needle_of, prompts, request, secret_of

from slipway_store.connect import open_pool
from slipway_store.keys import create_key

PASSWORD = "dsn-password-7f3a9c"
BACKEND_PASSWORD = "backend-password-1b2c"
FIRST_KEY = secret_of("first key")
TEXTS = {("request_logs", "input_text"), ("request_logs", "output_text")}


def _quotes(status: str) -> Any:
    """An engine's error that repeats the prompt."""

    def script(prompt: str) -> Script:
        error = {"message": f"bad prompt: {prompt}", "type": "x", "code": 1, "param": None}
        return (http(json.dumps({"error": error}).encode(), status=status),)

    return script


SCRIPTS: Scripts = {
    "text500": (http(b"Internal Server Error", status="500 X", kind="text/plain"),),
    "quote400": _quotes("400 Bad Request"),
    "quote500": _quotes("500 Internal Server Error"),
    "die": (Reset(),),
    "cut": (stream_head() + chunk(event(piece("he"))), Close()),
}


class Result:
    """Everything that came out of the process, by where."""

    def __init__(self) -> None:
        self.planted: list[Planted] = []
        self.answers: dict[Any, bytes] = {}
        self.outputs: dict[Any, bytes] = {}
        self.columns: dict[Any, bytes] = {}
        self.files: dict[Any, bytes] = {}
        self.keys: list[str] = []


async def _dump(dsn: str) -> dict[tuple[str, str], bytes]:
    """Every column of every table, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch(
            """SELECT c.relname AS t, a.attname AS n FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace s ON s.oid = c.relnamespace
            WHERE s.nspname = 'public' AND c.relkind IN ('r', 'p') AND a.attnum > 0
            AND NOT a.attisdropped AND NOT c.relispartition"""
        )
        dump = {}
        for row in found:
            query = f'SELECT string_agg("{row["n"]}"::text, chr(10)) FROM "{row["t"]}"'
            dump[row["t"], row["n"]] = (await connection.fetchval(query) or "").encode()
        return dump
    finally:
        await connection.close()


async def _send(site: Site, one: Planted) -> bytes:
    got = await talk(site.port, [one.data])
    assert got.closed, one.place
    return got.data


async def _run(site: Site, proxy: PostgresProxy) -> Result:
    result = Result()
    await site.start()
    pool = await open_pool(site.dsn)
    _, good = await create_key(pool, name="good")
    await pool.close()
    result.keys = [good, FIRST_KEY]
    result.planted = [*keys(good), *prompts(good)]
    async with FaultServer(SCRIPTS) as engine, aiohttp.ClientSession() as session:
        away_url = f"http://user:{BACKEND_PASSWORD}@127.0.0.1:9"
        others = {model: engine.url for model in FAULTS.values() if model != "m"}
        await site.publish({"away": away_url} | others)
        await site.publish({"m": engine.url}, default=True)
        models = request("/v1/models", b"", key=good)

        async def admitted() -> bool:
            return b" 200 " in (await talk(site.port, [models])).data[:20]

        await eventually(admitted, what="the key")
        work = [_send(site, one) for one in result.planted]
        for one, answer in zip(result.planted, await bounded(work, 16), strict=True):
            result.answers[one.place] = answer
        away = request("/v1/completions", b'{"model":"away","prompt":"x"}', key=good)
        result.answers["away"] = (await talk(site.port, [away])).data
        result.answers["without a database"] = await _without_database(site, proxy, good)
        last = request("/forward", b'{"text":"x"}', "x-request-id: last", key=good)

        async def answered() -> bool:
            # The circuit of an engine that failed so often may be open for a while.
            return b" 200 " in (await talk(site.port, [last])).data[:20]

        await eventually(answered, what="an answer")
        await site.rows(["last"])
        for path in ("/metrics", "/metrics?format=json", "/openapi.json", "/ready"):
            async with session.get(site.gateway.url + path) as answer:
                result.outputs[path] = await answer.read() + str(answer.headers).encode()
    result.columns = await _dump(site.dsn)
    # The rest of the log comes with the process's end.
    await site.gateway.stop()
    result.outputs["output"] = site.gateway.log.read_bytes()
    for path in (site.gateway.log.parent / site.gateway.slot).rglob("*"):
        if path.is_file():
            result.files[path.name] = path.read_bytes()
    return result


async def _without_database(site: Site, proxy: PostgresProxy, good: str) -> bytes:
    """What a call that needs the database says while it is away."""
    feedback = request("/v1/feedback", b'{"request_id":"r","thumbs_down":true}', key=good)
    log = site.gateway.log
    size = log.stat().st_size
    await proxy.shut()
    try:
        await eventually(lambda: log.stat().st_size > size, what="a complaint in the log")
        return (await talk(site.port, [feedback])).data
    finally:
        await proxy.restore()


async def _play(dsn: str, folder: Path, **settings: Any) -> Result:
    # The server trusts the socket; the password is only there to be kept secret.
    secret_dsn = dsn.replace("postgres@", f"postgres:{PASSWORD}@")
    async with PostgresProxy(secret_dsn) as proxy:
        assert PASSWORD in proxy.dsn
        given = {"keyless_loopback": "false", "first_key": FIRST_KEY, "own_dsn": proxy.dsn}
        site = Site(dsn, folder, slot="secrets", **(given | settings))
        try:
            return await _run(site, proxy)
        finally:
            await site.stop()


def _played(dsn: str, folder: Path, **settings: Any) -> Result:
    results: list[Result] = []
    in_thread(lambda: results.append(asyncio.run(_play(dsn, folder, **settings))))
    return results[0]


@pytest.fixture(scope="module")
def result(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return _played(module_dsn, tmp_path_factory.mktemp("secrets"))


def test_there_are_enough_of_them(result: Result) -> None:
    print(f"{len(result.planted)} secrets, {sum(one.prompt for one in result.planted)} in prompts")
    assert sum(not one.prompt for one in result.planted) >= 200
    assert len({one.needle for one in result.planted}) == len(result.planted)
    assert sum(one.prompt and b" 200 " in result.answers[one.place][:20] for one in result.planted)


@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_this_place_is_never_seen_again(result: Result, place: str) -> None:
    planted = [one for one in result.planted if one.place.split(" ")[0] == place]
    assert planted
    leaks = []
    for one in planted:
        needles = (one.needle, one.needle.upper())
        if any(needle in result.answers[one.place] for needle in needles):
            leaks.append(f"{one.place}: in its answer")
        everywhere = result.outputs | result.files | result.columns
        leaks += [
            f"{one.place}: in {where}"
            for where, data in everywhere.items()
            if any(needle in data for needle in needles)
        ]
    assert leaks == []


def test_real_keys_and_passwords_are_nowhere(result: Result) -> None:
    needles = [needle_of(key) for key in result.keys]
    needles += [PASSWORD.encode(), BACKEND_PASSWORD.encode()]
    own = {where: data for where, data in result.columns.items() if where[0] != "routes"}
    everywhere = result.answers | result.outputs | result.files | own
    # The copy of the routes keeps what the operator wrote, for a start without the database.
    everywhere = {w: data for w, data in everywhere.items() if w != "routes.json"}
    assert [w for w, data in everywhere.items() if any(n in data for n in needles)] == []


def test_prompts_are_only_in_the_texts_of_the_log(result: Result) -> None:
    planted = [one for one in result.planted if one.prompt]
    outside = result.outputs | {w: d for w, d in result.columns.items() if w not in TEXTS}
    leaks = [
        f"{p.place}: in {w}" for p in planted for w, data in outside.items() if p.needle in data
    ]
    assert leaks == []
    # The circuit of an engine that fails so often turns some away, which are no attempts.
    texts = b"".join(result.columns[where] for where in TEXTS)
    answered = [one for one in planted if b" 200 " in result.answers[one.place][:20]]
    # The log's text of a chat is its last message, never the system prompt, answered or not.
    for one in answered:
        assert (one.needle in texts) is not one.place.startswith("system prompt"), one.place


def test_an_answer_holds_no_other_callers_prompt(result: Result) -> None:
    planted = [one for one in result.planted if one.prompt]
    for one in planted:
        for place, answer in result.answers.items():
            assert place == one.place or one.needle not in answer, (one.place, place)


def test_without_texts_no_prompt_is_kept_at_all(postgres: Any, tmp_path: Path) -> None:
    name = postgres.create()
    result = _played(postgres.dsn(name), tmp_path, log_text_policy="none")
    planted = [one for one in result.planted if one.prompt]
    everywhere = result.outputs | result.files | result.columns
    leaks = [f"{p.place}: in {w}" for p in planted for w, d in everywhere.items() if p.needle in d]
    assert leaks == []
    postgres.drop(name)
