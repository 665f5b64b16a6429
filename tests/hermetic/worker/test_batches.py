"""Files and batches by OpenAI's own client: uploaded, run, read, cancelled, refused by line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from answer_site import Site
from gateway_process import eventually

from slipway_store import batches, jobs
from slipway_store.files import CHUNK
from slipway_store.keys import create_key

CHAT = "/v1/chat/completions"
ENDED = {"completed", "failed", "cancelled", "expired"}


def line(number: int, text: str = "hello", **fields: Any) -> dict[str, Any]:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": body} | fields


def jsonl(*lines: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


@pytest.fixture
async def client(site: Site) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=site.gateway.url + "/v1", api_key="none", max_retries=0
    ) as one:
        yield one


async def start(client: openai.AsyncOpenAI, content: bytes, **fields: Any) -> Any:
    file = await client.files.create(file=("in.jsonl", content), purpose="batch")
    given: Any = {"endpoint": CHAT, "completion_window": "24h"} | fields
    return await client.batches.create(input_file_id=file.id, **given)


async def ended(client: openai.AsyncOpenAI, batch: Any) -> Any:
    async def done() -> Any:
        found = await client.batches.retrieve(batch.id)
        return found if found.status in ENDED else None

    return await eventually(done, what="the batch's end")


async def read(client: openai.AsyncOpenAI, file_id: str) -> list[Any]:
    content = await client.files.content(file_id)
    return [json.loads(text) for text in content.text.splitlines()]


async def test_a_batch_is_run_and_read(site: Site, client: openai.AsyncOpenAI) -> None:
    batch = await start(client, jsonl(*(line(n) for n in range(20))), metadata={"a": "b"})
    assert (batch.status, batch.metadata, batch.object) == ("validating", {"a": "b"}, "batch")
    await site.work()
    found = await ended(client, batch)
    assert (found.status, found.error_file_id, found.errors) == ("completed", None, None)
    counts = found.request_counts
    assert (counts.total, counts.completed, counts.failed) == (20, 20, 0)
    answers = await read(client, found.output_file_id)
    assert [one["custom_id"] for one in answers] == [f"r{n}" for n in range(20)]
    first = answers[0]
    assert first["error"] is None
    assert first["response"]["status_code"] == 200
    assert first["response"]["body"]["choices"][0]["message"]["content"].startswith("word")
    assert first["response"]["request_id"]
    assert await site.pool.fetchval("SELECT count(*) FROM batch_lines") == 0
    [shown] = [one async for one in client.batches.list()]
    assert shown.id == batch.id


async def test_refused_and_broken_lines_have_errors_of_their_own(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    batch = await start(client, jsonl(line(1), line(2, "!error400"), line(3, "!badjson")))
    await site.work(max_attempts=2)
    found = await ended(client, batch)
    counts = found.request_counts
    assert (found.status, counts.completed, counts.failed) == ("completed", 1, 2)
    refused, broken = await read(client, found.error_file_id)
    assert (refused["custom_id"], refused["response"]["status_code"]) == ("r2", 400)
    assert "temperature" in refused["response"]["body"]["error"]["message"]
    assert (broken["custom_id"], broken["response"]) == ("r3", None)
    assert broken["error"]["code"] == "request_failed"
    [dead] = await jobs.list_dead(site.pool)
    assert dead.kind == "batch-line"


@pytest.mark.parametrize(
    ("content", "code", "number"),
    [
        (b"\n", "empty_file", None),
        (jsonl(line(1)) + b"{", "invalid_json_line", 2),
        (jsonl(line(1), line(1)), "duplicate_custom_id", 2),
        (jsonl(line(1, url="/v1/completions")), "invalid_url", 1),
        (jsonl(line(1, method="GET")), "invalid_method", 1),
        (jsonl(line(1, body={"messages": []})), "missing_required_parameter", 1),
        (jsonl(line(1, body={"model": "demo", "stream": True})), "invalid_parameter", 1),
    ],
)
async def test_a_wrong_file_is_refused_by_line(
    site: Site, client: openai.AsyncOpenAI, content: bytes, code: str, number: int | None
) -> None:
    batch = await start(client, content)
    await site.work()
    found = await ended(client, batch)
    assert found.status == "failed"
    [error] = found.errors.data
    assert (error.code, error.line) == (code, number)
    assert site.engine.calls.bodies == []


async def test_a_cancelled_batch_keeps_what_was_answered(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    site.engine.script.first_byte_delay = 0.1
    batch = await start(client, jsonl(*(line(n) for n in range(200))))
    await site.work(concurrency=4)

    async def some() -> bool:
        found = await client.batches.retrieve(batch.id)
        return found.request_counts is not None and found.request_counts.completed > 3

    await eventually(some, what="some answers")
    assert (await client.batches.cancel(batch.id)).status == "cancelling"
    found = await ended(client, batch)
    assert found.status == "cancelled"
    answers = await read(client, found.output_file_id)
    assert 3 < len(answers) == found.request_counts.completed < 200
    assert (await client.batches.cancel(batch.id)).status == "cancelled"


async def test_a_late_batch_expires_and_keeps_what_was_answered(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    site.engine.script.first_byte_delay = 0.1
    batch = await start(client, jsonl(*(line(n) for n in range(200))))
    await site.work(concurrency=4)

    async def some() -> bool:
        found = await client.batches.retrieve(batch.id)
        return found.request_counts is not None and found.request_counts.completed > 3

    await eventually(some, what="some answers")
    await site.pool.execute("UPDATE batches SET expires_at = clock_timestamp()")
    found = await ended(client, batch)
    counts = found.request_counts
    assert (found.status, found.completed_at, counts.total) == ("expired", None, 200)
    assert found.expired_at >= found.created_at
    answers = await read(client, found.output_file_id)
    late = await read(client, found.error_file_id)
    assert 3 < len(answers) == counts.completed
    assert len(late) == counts.failed == 200 - len(answers)
    assert {one["error"]["code"] for one in late} == {"batch_expired"}
    assert (await client.batches.cancel(batch.id)).status == "expired"


async def test_a_batch_that_nobody_began_expires(site: Site, client: openai.AsyncOpenAI) -> None:
    batch = await start(client, jsonl(line(1)))
    await site.pool.execute("UPDATE batches SET expires_at = clock_timestamp()")
    await site.pool.execute("DELETE FROM pgqueuer")
    await site.work()
    found = await ended(client, batch)
    assert (found.status, found.output_file_id, found.error_file_id) == ("expired", None, None)


async def test_a_large_file_goes_in_and_out(site: Site, client: openai.AsyncOpenAI) -> None:
    """In chunks: up, read by the worker, written by the database, and back."""
    content = jsonl(*(line(n, "x" * 40_000) for n in range(80)))
    assert len(content) > 3 * CHUNK
    site.engine.script.chunks = 4000
    batch = await start(client, content)
    back = await client.files.content(batch.input_file_id)
    assert back.read() == content
    await site.work()
    found = await ended(client, batch)
    assert found.status == "completed"
    output = await client.files.retrieve(found.output_file_id)
    answers = await read(client, found.output_file_id)
    assert [one["custom_id"] for one in answers] == [f"r{n}" for n in range(80)]
    assert output.bytes > CHUNK
    for file_id in (batch.input_file_id, found.output_file_id):
        assert (await client.files.delete(file_id)).deleted
    assert await site.pool.fetchval("SELECT count(*) FROM file_chunks") == 0


async def test_a_wrong_last_line_of_a_large_file_leaves_nothing(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    """The lines before it were stored while the file was read."""
    content = jsonl(*(line(n, "x" * 40_000) for n in range(80))) + b"{"
    batch = await start(client, content)
    await site.work()
    found = await ended(client, batch)
    assert found.status == "failed"
    [error] = found.errors.data
    assert (error.code, error.line) == ("invalid_json_line", 81)
    assert await site.pool.fetchval("SELECT count(*) FROM batch_lines") == 0
    assert await site.pool.fetchval("SELECT count(*) FROM pgqueuer") == 0


async def test_lines_that_a_killed_worker_stored_are_asked_once(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    content = jsonl(*(line(n) for n in range(5)))
    batch = await start(client, content)
    left = [
        batches.NewLine(line=n + 1, custom_id=f"r{n}", request=json.dumps(line(n)["body"]).encode())
        for n in range(3)
    ]
    for _ in range(2):
        assert await batches.store_lines(site.pool, batch.id, left)
    await site.work()
    found = await ended(client, batch)
    assert (found.status, found.request_counts.completed) == ("completed", 5)
    assert len(site.engine.calls.bodies) == 5


@pytest.mark.parametrize("how", ["cancelled", "expired"])
async def test_a_batch_that_ends_while_it_is_checked_keeps_no_line(
    site: Site, client: openai.AsyncOpenAI, how: str
) -> None:
    batch = await start(client, jsonl(line(1)))
    left = [batches.NewLine(line=1, custom_id="r1", request=b"{}")]
    assert await batches.store_lines(site.pool, batch.id, left)
    if how == "cancelled":
        await client.batches.cancel(batch.id)
    else:
        await site.pool.execute("UPDATE batches SET expires_at = clock_timestamp()")
        await batches.expire_batches(site.pool)
    assert not await batches.store_lines(site.pool, batch.id, left)
    await site.work()
    found = await ended(client, batch)
    counts = found.request_counts
    assert (found.status, counts.total, counts.failed) == (how, 0, 0)
    assert (found.output_file_id, found.error_file_id) == (None, None)
    assert await site.pool.fetchval("SELECT count(*) FROM batch_lines") == 0
    assert site.engine.calls.bodies == []


@pytest.mark.parametrize("gateway_settings", [{"file_limit": 3 * CHUNK}], ids=["3 MiB"])
@pytest.mark.parametrize("told", [True, False], ids=["sized", "chunked"])
async def test_a_file_over_the_limit_is_refused_and_nothing_stays(
    site: Site, client: openai.AsyncOpenAI, told: bool
) -> None:
    """By its length where that is told, else as soon as it is passed."""
    if told:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.files.create(file=("in.jsonl", b"x" * (4 * CHUNK)), purpose="batch")
        assert refused.value.status_code == 413
        assert "file_limit" in refused.value.message
    else:
        status, text = await send_chunked(site, 4)
        assert status == 413
        assert "file_limit" in text
    assert await site.pool.fetchval("SELECT count(*) FROM file_chunks") == 0
    assert await site.pool.fetchval("SELECT count(*) FROM files") == 0


@pytest.mark.parametrize("gateway_settings", [{"files_limit": 1000}], ids=["1 kB"])
async def test_a_tenant_that_has_stored_too_much_deletes_first(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    _, other = await create_key(site.pool, name="other")
    first = await client.files.create(file=("a", b"x" * 1000), purpose="batch")
    with pytest.raises(openai.APIStatusError) as refused:
        await client.files.create(file=("b", b"x"), purpose="batch")
    assert refused.value.status_code == 413
    assert "files_limit" in refused.value.message
    others = client.with_options(api_key=other)

    async def known() -> bool:
        try:
            return bool(await others.files.create(file=("c", b"x"), purpose="batch"))
        except openai.AuthenticationError:
            return False

    await eventually(known, what="another tenant's upload")
    await client.files.delete(first.id)
    await client.files.create(file=("b", b"x"), purpose="batch")


async def send_chunked(site: Site, chunks: int) -> tuple[int, str]:
    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(chunks):
            yield b"x" * CHUNK
        yield b"\r\n--b--\r\n"

    async with (
        aiohttp.ClientSession() as session,
        session.post(
            site.gateway.url + "/v1/files",
            data=body(),
            headers={"content-type": "multipart/form-data; boundary=b"},
        ) as answer,
    ):
        return answer.status, await answer.text()


async def test_a_batch_outlives_its_workers(site: Site, client: openai.AsyncOpenAI) -> None:
    site.engine.script.first_byte_delay = 0.02
    batch = await start(client, jsonl(*(line(n) for n in range(300))))
    for share in (0.1, 0.4, 0.7):
        worker = await site.work()

        async def moved(share: float = share) -> bool:
            found = await client.batches.retrieve(batch.id)
            counts = found.request_counts
            return counts is not None and counts.completed >= 300 * share

        await eventually(moved, what="some answers")
        await worker.kill()
    await site.work()
    found = await ended(client, batch)
    counts = found.request_counts
    assert (found.status, counts.total, counts.completed) == ("completed", 300, 300)
    answers = await read(client, found.output_file_id)
    assert sorted(one["custom_id"] for one in answers) == sorted(f"r{n}" for n in range(300))


async def test_files_are_listed_read_and_deleted(client: openai.AsyncOpenAI) -> None:
    made = [
        await client.files.create(file=(f"{n}.jsonl", b"{}" * (n + 1)), purpose="batch")
        for n in range(3)
    ]
    assert [(one.bytes, one.filename) for one in made] == [
        *((2, "0.jsonl"), (4, "1.jsonl"), (6, "2.jsonl"))
    ]
    listed = [one.id async for one in client.files.list(limit=2)]
    assert listed == [one.id for one in reversed(made)]
    assert (await client.files.retrieve(made[0].id)).filename == "0.jsonl"
    assert (await client.files.delete(made[0].id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(made[0].id)
    with pytest.raises(openai.NotFoundError):
        await client.files.content(made[0].id)


async def test_wrong_requests_name_the_field(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="purpose"):
        await client.files.create(file=("a", b"x"), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match="file"):
        await client.files.create(file=("a", b""), purpose="batch")
    given: Any = {"endpoint": CHAT, "completion_window": "24h", "input_file_id": "file-x"}
    with pytest.raises(openai.NotFoundError, match="input_file_id"):
        await client.batches.create(**given)
    for field, value in (("endpoint", "/v1/files"), ("completion_window", "1h")):
        with pytest.raises(openai.BadRequestError, match=field):
            await client.batches.create(**given | {field: value})
    with pytest.raises(openai.NotFoundError):
        await client.batches.retrieve("batch_x")


async def test_other_tenants_see_nothing_and_scopes_hold(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    _, acme = await create_key(site.pool, name="acme", models=["other"])
    _, other = await create_key(site.pool, name="other")

    async def known() -> bool:
        found = [await site.call("GET", "/v1/models", key=key) for key in (acme, other)]
        return all(status == 200 for status, _ in found)

    await eventually(known, what="both keys")
    mine = client.with_options(api_key=acme)
    batch = await start(mine, jsonl(line(1)))
    theirs = client.with_options(api_key=other)
    for call in (
        theirs.batches.retrieve(batch.id),
        theirs.batches.cancel(batch.id),
        theirs.files.content(batch.input_file_id),
        theirs.files.delete(batch.input_file_id),
        start_with(theirs, batch.input_file_id),
    ):
        with pytest.raises(openai.NotFoundError):
            await call
    assert [one async for one in theirs.files.list()] == []
    assert [one async for one in theirs.batches.list()] == []
    await site.work()
    found = await ended(mine, batch)
    assert (found.status, found.errors.data[0].code) == ("failed", "model_not_allowed")


async def start_with(client: openai.AsyncOpenAI, file_id: str) -> Any:
    given: Any = {"endpoint": CHAT, "completion_window": "24h", "input_file_id": file_id}
    return await client.batches.create(**given)


async def test_cancelling_and_answering_at_once_never_stick(
    site: Site, client: openai.AsyncOpenAI
) -> None:
    """Whoever comes first: in the end every batch is over and every line counted once."""
    await site.work()
    made = [await start(client, jsonl(*(line(n) for n in range(10)))) for _ in range(12)]

    async def cancel(number: int, batch: Any) -> None:
        await asyncio.sleep(number * 0.02)
        await client.batches.cancel(batch.id)

    await asyncio.gather(*(cancel(number, batch) for number, batch in enumerate(made)))
    for batch in made:
        found = await ended(client, batch)
        stored = await batches.get_batch(site.pool, batch.id)
        assert stored is not None
        answers = await read(client, found.output_file_id) if found.output_file_id else []
        assert len(answers) == stored.completed
