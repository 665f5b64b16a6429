"""A worker process's real page after a question and two batches."""

from __future__ import annotations

import json
from typing import Any

import openai
from answer_site import Site
from gateway_process import eventually
from metric_pages import samples, silent, strays

from slipway_contracts.metrics.kinds import Owner

CHAT = "/v1/chat/completions"
BODY = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
GOOD = {"custom_id": "a", "method": "POST", "url": CHAT, "body": BODY}


# The first two transactions that end a batch are broken off when they are to be committed. A
# sequence forgets nothing of what is rolled back.
BREAKS_TWICE = """
CREATE SEQUENCE tries;
CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= 2 THEN RAISE 'broken off'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER breaks AFTER UPDATE ON batches DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.status = 'failed') EXECUTE FUNCTION break_off();
"""


async def test_a_batch_whose_end_is_rolled_back_is_counted_once(site: Site) -> None:
    await site.pool.execute(BREAKS_TWICE)
    worker = await site.work()
    async with openai.AsyncOpenAI(
        base_url=site.gateway.url + "/v1", api_key="none", max_retries=0
    ) as client:
        file = await client.files.create(file=("in.jsonl", b"no line"), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint=CHAT, completion_window="24h"
        )

        async def failed() -> bool:
            return (await client.batches.retrieve(batch.id)).status == "failed"

        await eventually(failed, what="the batch's end")

    async def counted() -> float | None:
        text = await worker.get("/metrics") or ""
        return next((s.value for s in samples(text) if is_failed(s)), None)

    assert await eventually(counted, what="its count") == 1
    assert await site.pool.fetchval("SELECT last_value FROM tries") == 3


def is_failed(sample: Any) -> bool:
    return sample.name == "batch_jobs_total" and sample.labels["status"] == "failed"


async def test_a_page_has_every_metric_of_the_worker_and_nothing_else(site: Site) -> None:
    worker = await site.work()
    await site.ask("hello")
    async with openai.AsyncOpenAI(
        base_url=site.gateway.url + "/v1", api_key="none", max_retries=0
    ) as client:
        for content in (json.dumps(GOOD).encode(), b"no line of ours\n"):
            file = await client.files.create(file=("in.jsonl", content), purpose="batch")
            await client.batches.create(
                input_file_id=file.id, endpoint=CHAT, completion_window="24h"
            )

    async def told() -> str | None:
        text = await worker.get("/metrics") or ""
        ended = {s.labels["status"]: s.value for s in samples(text) if s.name == "batch_jobs_total"}
        seen = not silent(text, Owner.WORKER)
        both = ended == {"completed": 1, "failed": 1, "cancelled": 0, "expired": 0}
        return text if both and seen else None

    text = await eventually(told, what="both batches have ended")
    assert not strays(text, Owner.WORKER)
