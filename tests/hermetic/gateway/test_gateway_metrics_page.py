"""A gateway process's real page after some traffic: the catalogue, all of it and nothing else."""

from __future__ import annotations

import pytest
from free_ports import free_port
from gateway_process import eventually
from metric_pages import samples, silent, strays

from slipway_contracts.metrics.kinds import Owner
from slipway_store.keys import NewKey, make_key
from slipway_store.quotas import LimitRules


async def page(demo, url: str = "") -> str:
    async with demo.client.get((url or demo.gateway.url) + "/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return await answer.text()


async def value(demo, name: str, url: str = "", **labels: str) -> float | None:
    found = (s for s in samples(await page(demo, url)) if s.name == name)
    return next((s.value for s in found if s.labels == labels), None)


async def limited(demo, headers) -> bool:
    status, _, _ = await demo.ask(headers=headers)
    return status == 429


async def test_a_page_has_every_metric_of_the_gateway_and_nothing_else(start, v1, to):
    own = free_port()
    demo = await start(cache_bytes=1_000_000, own_port=own)
    limits = LimitRules(requests_per_minute=2)
    _, secret = await make_key(demo.pool, NewKey(name="team", limits=limits))
    headers = {"authorization": f"Bearer {secret}"}
    await demo.publish(to(v1))
    await demo.ask()
    await demo.ask(stream=True)
    for _ in range(2):
        await demo.ask("the same", temperature=0)
    await demo.ask("!error500")
    await eventually(lambda: limited(demo, headers), what="the limit")

    text = await page(demo, f"http://127.0.0.1:{own}")
    assert not strays(text, Owner.GATEWAY)
    assert not silent(text, Owner.GATEWAY)
    version = {"model": demo.model, "version": "v1"}
    assert await value(demo, "inference_requests_total", outcome="error", **version) == 1
    assert await value(demo, "slipway_inter_token_seconds_count", **version) == 1
    cache = {"model": demo.model}
    assert await value(demo, "slipway_cache_lookups_total", outcome="hit", **cache) == 1
    assert await value(demo, "slipway_cache_lookups_total", outcome="miss", **cache) == 1
    refused = {"tenant": "team", "limit": "requests_per_minute"}
    assert await value(demo, "slipway_limit_refused_total", **refused) >= 1
    assert await value(demo, "slipway_gateway_connected") == 1
    assert await value(demo, "slipway_keys_age_seconds") < 10

    async def shipped() -> bool:
        return await value(demo, "slipway_log_oldest_seconds") == 0

    await eventually(shipped, what="the log is shipped")


async def test_siblings_on_one_port_are_scraped_one_by_one(start, v1, to):
    first = await start(slot="a", own_port=(one := free_port()))
    second = await start(slot="b", own_port=(two := free_port()), port=first.gateway.port)
    second.model = first.model
    await second.publish(to(v1))
    for _ in range(20):
        await first.ask(headers={"connection": "close"})
    version = {"model": first.model, "version": "v1", "outcome": "ok"}

    async def counted(port: int) -> float:
        url = f"http://127.0.0.1:{port}"
        return await value(first, "inference_requests_total", url, **version) or 0.0

    assert await counted(one) + await counted(two) == 20
    assert await counted(one) == await counted(one)


async def test_without_postgresql_the_page_says_so(start):
    away = "postgresql://nobody@127.0.0.1:1/none"
    demo = await start(ready=False, own_dsn=away)

    async def told() -> bool:
        if await demo.gateway.state() is None:
            return False
        return await value(demo, "slipway_gateway_connected") == 0

    await eventually(told, what="the page")
    first = await value(demo, "slipway_keys_age_seconds")
    assert await value(demo, "slipway_keys_age_seconds") > first


@pytest.mark.parametrize("name", ["http_requests_total", "inference_requests_total"])
async def test_the_source_systems_names_are_there(demo, v1, to, name):
    await demo.publish(to(v1))
    await demo.ask()
    assert any(s.name == name and s.value for s in samples(await page(demo)))
