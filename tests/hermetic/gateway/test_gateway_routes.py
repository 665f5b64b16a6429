"""The other routes: models, S1's legacy routes, health, metrics, documentation, keys."""

from __future__ import annotations

import pytest
from gateway_process import eventually
from metric_pages import strays

from slipway_contracts.metrics import GATEWAY
from slipway_contracts.metrics.kinds import Owner
from slipway_store.keys import create_key, revoke_key


@pytest.fixture
async def default(demo, v1, to):
    """This test's Model is the one that answers legacy routes."""
    await demo.publish(to(v1), default=True)
    yield demo
    await demo.publish(to(v1))


async def get(demo, path, **headers):
    return demo.client.get(demo.gateway.url + path, headers=headers)


async def test_forward_and_its_batch(default, v1):
    body = {"text": "once upon", "max_new_tokens": 3, "temperature": 0.5, "top_p": 0.8}
    async with default.post(body, "/forward") as answer:
        assert answer.status == 200
        got = await answer.json()
    assert got["generated_text"] == "word word word"
    assert (got["model"], got["version"]) == (default.model, "v1")
    (row,) = await default.rows(answer.headers["x-request-id"])
    assert (row["route"], row["input_text"]) == ("/forward", "once upon")
    assert row["output_text"] == "word word word"
    async with default.post({"texts": ["a", "b"]}, "/forward_batch") as answer:
        assert (await answer.json())["generated_texts"] == ["word word word word word"] * 2


async def test_metadata_and_models(default):
    async with await get(default, "/metadata") as answer:
        facts = await answer.json()
    assert facts["model_name"] == default.model
    assert facts["versions"] == [{"version": "v1", "weight": 100, "role": "stable"}]
    async with await get(default, "/v1/models") as answer:
        listed = await answer.json()
    assert default.model in [card["id"] for card in listed["data"]]
    async with await get(default, f"/v1/models/{default.model}") as answer:
        assert (await answer.json())["object"] == "model"


async def test_health_and_ready(demo):
    async with await get(demo, "/health") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "ok")
        assert answer.headers["x-request-id"]
        assert answer.headers["x-slipway-version"]
    async with await get(demo, "/ready") as answer:
        assert (answer.status, (await answer.json())["fenced"]) == (200, False)


async def test_metrics_in_both_forms(demo, v1, to):
    await demo.publish(to(v1))
    await demo.ask()
    await demo.ask(stream=True)
    async with await get(demo, "/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain")
        text = await answer.text()
    for metric in GATEWAY:
        assert f"# TYPE {metric.name} {metric.kind}\n" in text
    assert not strays(text, Owner.GATEWAY)
    assert f'inference_requests_total{{model="{demo.model}",outcome="ok",version="v1"}} 2.0' in text
    route = 'route="/v1/chat/completions",status="200"'
    assert f'http_requests_total{{method="POST",{route}}}' in text
    assert f'slipway_time_to_first_token_seconds_count{{model="{demo.model}",version="v1"}}' in text
    async with await get(demo, "/metrics/prometheus") as answer:
        assert "http_requests_total" in await answer.text()
    for path, headers in (
        ("/metrics?format=json", {}),
        ("/metrics", {"accept": "application/json"}),
    ):
        async with await get(demo, path, **headers) as answer:
            figures = await answer.json()
        mine = [
            f for f in figures["inference_requests_total"] if f["labels"]["model"] == demo.model
        ]
        assert sum(f["value"] for f in mine) == 2


async def test_unmatched_paths_do_not_become_labels(demo):
    async with await get(demo, "/secret-path-in-a-label"):
        pass
    async with await get(demo, "/metrics") as answer:
        text = await answer.text()
    assert "secret-path" not in text
    assert 'route="unmatched"' in text


async def test_documentation_lists_every_route(demo):
    for path in ("/docs", "/redoc"):
        async with await get(demo, path) as answer:
            assert answer.status == 200
            assert "text/html" in answer.headers["content-type"]
    async with await get(demo, "/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    assert {
        "/v1/chat/completions", "/v1/completions", "/v1/models", "/forward", "/forward_batch",
        "/metadata", "/health", "/ready", "/metrics", "/v1/feedback",
    } <= set(paths)  # fmt: skip


async def test_keys_scopes_and_a_revocation_that_is_effective(demo, v1, to):
    await demo.publish(to(v1))
    mine, secret = await create_key(demo.pool, name="team", models=[demo.model])
    _, other = await create_key(demo.pool, name="others", models=["another"])

    async def status(secret):
        answer, _, request_id = await demo.ask(headers={"authorization": f"Bearer {secret}"})
        return answer, request_id

    async def admitted():
        answer, request_id = await status(secret)
        return request_id if answer == 200 else None

    request_id = await eventually(admitted, what="the key")
    (row,) = await demo.rows(request_id)
    assert (row["key_id"], row["tenant"]) == (mine.id, "team")
    assert (await status(other))[0] == 403
    async with await get(demo, "/v1/models", authorization=f"Bearer {secret}") as answer:
        assert [card["id"] for card in (await answer.json())["data"]] == [demo.model]
    async with await get(
        demo, f"/v1/models/{demo.model}", authorization=f"Bearer {other}"
    ) as answer:
        assert answer.status == 403

    await revoke_key(demo.pool, mine.id)

    async def refused():
        return (await status(secret))[0] == 401

    await eventually(refused, seconds=5, what="the revocation")
    assert (await status(secret[:-1]))[0] == 401


async def test_keys_are_needed_where_the_setting_says_so(start, v1, to):
    demo = await start(keyless_loopback="false")
    await demo.publish(to(v1))
    assert (await demo.ask())[0] == 401
    _, secret = await create_key(demo.pool, name="team")
    headers = {"authorization": f"Bearer {secret}"}

    async def admitted():
        return (await demo.ask(headers=headers))[0] == 200

    await eventually(admitted, what="the key")
    for path in ("/v1/models", "/metadata"):
        async with await get(demo, path) as answer:
            assert answer.status == 401
    for path in ("/health", "/ready", "/metrics"):
        async with await get(demo, path) as answer:
            assert answer.status == 200
    log = demo.gateway.log.read_text()
    assert secret not in log
    copy = demo.gateway.log.parent / "0" / "keys.json"
    await eventually(lambda: copy.exists() and "team" in copy.read_text(), what="the copy")
    assert secret not in copy.read_text()
