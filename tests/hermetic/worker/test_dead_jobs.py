"""Dead jobs by ``/admin/jobs``: listed, queued again, audited; a batch's line is asked again."""

from __future__ import annotations

import json

import openai
from answer_site import Site
from gateway_process import eventually

from slipway_store import batches
from slipway_store.batches import LineEnd, NewLine

CHAT = "/v1/chat/completions"
BODY = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}


async def test_a_dead_question_is_listed_and_asked_again(site: Site) -> None:
    question, _ = await site.ask("!badjson")
    worker = await site.work(max_attempts=1)

    async def dead() -> list[dict[str, object]]:
        status, found = await site.call("GET", "/admin/jobs")
        assert status == 200
        return found["dead"]

    [job] = await eventually(dead, what="the dead job")
    assert (job["kind"], job["state"], job["attempts"]) == ("question", "dead", 1)
    assert job["reason"]
    await worker.stop()
    status, answer = await site.call("POST", "/admin/jobs/retry", {"ids": [job["id"], 99_999]})
    assert (status, "99999" in answer["error"]["message"]) == (404, True)
    status, answer = await site.call("POST", "/admin/jobs/retry", {"ids": [job["id"]]})
    assert (status, answer) == (200, {"ids": [job["id"]]})
    _, found = await site.call("GET", "/admin/jobs")
    assert (found["dead"], [one["state"] for one in found["queued"]]) == ([], ["waiting"])
    assert await site.answer(question) == "Ответ еще не готов."
    _, [entry, *_] = await site.call("GET", "/admin/audit?target=jobs")
    assert (entry["action"], entry["after"]) == ("jobs.retry", {"ids": [job["id"]]})
    status, answer = await site.call("POST", "/admin/jobs/retry", {"all": True})
    assert (status, answer) == (200, {"ids": []})


async def test_a_dead_line_of_a_running_batch_is_asked_again(site: Site) -> None:
    async with openai.AsyncOpenAI(
        base_url=site.gateway.url + "/v1", api_key="none", max_retries=0
    ) as client:
        file = await client.files.create(file=("in.jsonl", b"{}"), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint=CHAT, completion_window="24h"
        )
        await one_dead_line(site, batch.id)
        assert (await client.batches.retrieve(batch.id)).request_counts.failed == 1
        assert (await site.call("POST", "/admin/jobs/retry", {"all": True}))[0] == 200
        assert (await client.batches.retrieve(batch.id)).request_counts.failed == 0
        await site.work()

        async def ended() -> bool:
            return (await client.batches.retrieve(batch.id)).status == "completed"

        await eventually(ended, what="the batch's end")
        counts = (await client.batches.retrieve(batch.id)).request_counts
        assert (counts.total, counts.completed, counts.failed) == (2, 2, 0)


async def one_dead_line(site: Site, batch: str) -> None:
    """Of two lines the first was given up."""
    request = json.dumps(BODY).encode()
    lines = [NewLine(line=n, custom_id=f"r{n}", request=request) for n in (1, 2)]
    assert await batches.store_lines(site.pool, batch, lines)
    async with site.pool.acquire() as connection, connection.transaction():
        await batches.begin_batch(connection, batch)
        await connection.execute(
            """WITH gone AS (DELETE FROM pgqueuer WHERE convert_from(payload, 'UTF8')::jsonb
                @> '{"line": 1}' RETURNING *)
            INSERT INTO dead_jobs
                (id, kind, tenant, priority, payload, attempts, reason, created_at)
            SELECT id, split_part(entrypoint, ':', 1), '', priority, payload, 8, 'x', created
            FROM gone"""
        )
        error = {"code": "request_failed", "message": "x"}
        await batches.end_lines(connection, [LineEnd(batch_id=batch, line=1, error=error)])
