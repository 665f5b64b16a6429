"""A worker process's real page after a question and two batches."""

from __future__ import annotations

import json

import openai
from answer_site import Site
from gateway_process import eventually
from metric_pages import samples, silent, strays

from slipway_contracts.metrics.kinds import Owner

CHAT = "/v1/chat/completions"
BODY = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
GOOD = {"custom_id": "a", "method": "POST", "url": CHAT, "body": BODY}


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
