"""The gateway's page: what attempts count, who leaves, and how many there may be."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime

from metric_pages import samples, strays

from slipway_contracts.attempt import Attempt
from slipway_contracts.metrics import gateway as names
from slipway_contracts.metrics.kinds import OTHER, Owner
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_gateway.metrics import Metrics
from slipway_gateway.metrics.process import TENANT_IDLE, VERSION_IDLE

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def attempt(model: str = "demo", version: str = "v1", **changes) -> Attempt:
    given = {
        "request_id": "r",
        "attempt": 1,
        "timestamp": NOW,
        "started_at": NOW,
        "gateway": "0",
        "route": "/v1/chat/completions",
        "routes_revision": 1,
        "unit_hash": "",
        "tenant": "acme",
        "status": 200,
        "processing_time_ms": 40.0,
        "ttft_ms": 20.0,
        "token_ms": 4.0,
        "prompt_tokens": 3,
        "completion_tokens": 5,
    }
    return Attempt(model_name=model, version=version, **(given | changes))


def route(model: str = "demo", *versions: str) -> ModelRoute:
    share = 100 // len(versions)
    backends = [BackendRoute(version=v, weight=share, url=f"http://{v}") for v in versions]
    return ModelRoute(model=model, salt="s", backends=tuple(backends))


async def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    text = (await metrics.text()).decode()
    assert not strays(text, Owner.GATEWAY)
    found = (s for s in samples(text) if s.name == name)
    return next((s.value for s in found if s.labels == labels), None)


async def test_an_attempt_counts_for_its_version_and_its_tenant() -> None:
    metrics = Metrics()
    metrics.observe(attempt())
    metrics.observe(attempt(error=True, token_ms=None, ttft_ms=None))
    metrics.observe(attempt(shadow=True))
    of = {"model": "demo", "version": "v1"}
    assert await value(metrics, "inference_requests_total", outcome="ok", **of) == 1
    assert await value(metrics, "inference_requests_total", outcome="error", **of) == 1
    assert await value(metrics, "slipway_inter_token_seconds_count", **of) == 1
    assert await value(metrics, "slipway_inter_token_seconds_bucket", le="0.005", **of) == 1
    assert await value(metrics, "slipway_inter_token_seconds_bucket", le="0.0025", **of) == 0
    assert await value(metrics, names.TOKENS.name, direction="completion", **of) == 10
    assert await value(metrics, names.TENANT_REQUESTS.name, tenant="acme", outcome="error") == 1
    assert await value(metrics, names.TENANT_TOKENS.name, tenant="acme", direction="prompt") == 6


async def test_a_refusal_by_a_limit_counts_for_the_tenant() -> None:
    metrics = Metrics()
    metrics.limited("acme", "tokens_per_minute")
    metrics.limited("acme", "tokens_per_minute")
    labels = {"tenant": "acme", "limit": "tokens_per_minute"}
    assert await value(metrics, names.LIMIT_REFUSED.name, **labels) == 2


async def test_a_version_that_serves_is_there_before_its_first_request() -> None:
    metrics = Metrics()
    metrics.serves([route("demo", "v1", "v2")])
    of = {"model": "demo", "version": "v2"}
    assert await value(metrics, "inference_requests_total", outcome="error", **of) == 0
    assert await value(metrics, "slipway_requests_in_flight", **of) == 0


async def test_a_version_that_left_the_routes_leaves_when_nothing_asks_it_any_more() -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    of = {"model": "demo", "version": "v1"}
    metrics.serves([route("demo", "v1")])
    metrics.in_flight.enter("demo", "v1")
    metrics.observe(attempt())
    metrics.serves([route("demo", "v2")])
    assert await value(metrics, "inference_requests_total", outcome="ok", **of) == 1
    clock.now = VERSION_IDLE - 1
    metrics.observe(attempt())
    assert await value(metrics, "inference_requests_total", outcome="ok", **of) == 2
    clock.now += VERSION_IDLE
    assert await value(metrics, "inference_requests_total", outcome="ok", **of) is None
    # A drain waits for what is open, however long.
    assert await value(metrics, "slipway_requests_in_flight", **of) == 1
    metrics.in_flight.leave("demo", "v1")
    assert metrics.in_flight.by_version() == {}
    assert await value(metrics, "slipway_requests_in_flight", **of) is None
    served = {"model": "demo", "version": "v2"}
    assert await value(metrics, "inference_requests_total", outcome="ok", **served) == 0


async def test_a_tenant_leaves_an_hour_after_its_last_request() -> None:
    clock = Clock()
    metrics = Metrics(clock=clock)
    metrics.observe(attempt())
    asked = {"tenant": "acme", "outcome": "ok"}
    assert await value(metrics, names.TENANT_REQUESTS.name, **asked) == 1
    clock.now = TENANT_IDLE
    assert await value(metrics, names.TENANT_REQUESTS.name, **asked) is None


async def test_ten_thousand_models_and_tenants_grow_neither_page_nor_memory() -> None:
    metrics = Metrics()
    for i in range(10_000):
        metrics.observe(attempt(f"m{i}", f"m{i}-v1", tenant=f"t{i}"))
        metrics.limited(f"t{i}", "concurrency")
        metrics.answered("POST", "/v1/chat/completions", 100 + i % 500)
        metrics.answered(f"METHOD{i}", "/v1/models", 405)
    text = (await metrics.text()).decode()
    assert not strays(text, Owner.GATEWAY)
    found = Counter(
        s.labels["model"]
        for s in samples(text)
        if s.name == "inference_requests_total" and s.labels["outcome"] == "ok"
    )
    assert len(found) == names.MODEL.bound + 1
    assert sum(s.value for s in samples(text) if s.name == "inference_requests_total") == 10_000
    tenants = {s.labels["tenant"] for s in samples(text) if s.name == names.TENANT_REQUESTS.name}
    assert len(tenants) == names.TENANT.bound + 1
    assert OTHER in tenants
    assert sum(s.value for s in samples(text) if s.name == "http_requests_total") == 20_000
    assert sys.getsizeof(text) < 4_000_000


async def test_in_flight_is_exact_beyond_the_bound() -> None:
    metrics = Metrics()
    for i in range(3_000):
        metrics.in_flight.enter(f"m{i}", f"m{i}-v1")
    assert len(metrics.in_flight.by_version()) == 3_000
    text = (await metrics.text()).decode()
    assert not strays(text, Owner.GATEWAY)
    assert sum(s.value for s in samples(text) if s.name == names.IN_FLIGHT.name) == 3_000
