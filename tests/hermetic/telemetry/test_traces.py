"""Traces from a client through real processes to a fake engine, and to a collector by OTLP."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest
from answer_site import Site
from free_ports import free_port
from log_lines import check_log
from otlp_collector import Collector

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CHAT = "/v1/chat/completions"
SECRET = "a prompt that is nobody's business"


async def _chat(site: Site, text: str = "hello", **headers: str) -> tuple[int, Any]:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(site.gateway.url + CHAT, json=body, headers=headers) as answer,
    ):
        await answer.read()
        return answer.status, answer.headers


def _told(site: Site) -> dict[str, str]:
    """The headers of the last request that the engine got."""
    return {name.lower(): value for name, value in site.engine.calls.headers[-1].items()}


async def test_without_tracing_the_clients_context_goes_through_as_it_came(open_site: Any) -> None:
    async with open_site() as site:
        await _chat(site)
        assert not {"traceparent", "tracestate"} & set(_told(site))
        await _chat(site, traceparent=PARENT, tracestate="a=1,b=2")
        assert (_told(site)["traceparent"], _told(site)["tracestate"]) == (PARENT, "a=1,b=2")
        await site.work()
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                site.gateway.url + "/api/ask",
                json={"question_text": "why?"},
                headers={"traceparent": PARENT},
            ) as answer,
        ):
            question = (await answer.json())["question_id"]
        await site.answered(question)
        assert _told(site)["traceparent"] == PARENT


async def test_a_clients_trace_reaches_the_engine_and_the_collector(
    open_site: Any, collector: Collector
) -> None:
    async with open_site(environ=collector.environment()) as site:
        status, headers = await _chat(site, SECRET, traceparent=PARENT, tracestate="a=1")
        assert status == 200
        server, client = _by_kind(await collector.wait(2, trace_id=TRACE))
        assert (server.parent, client.parent) == (SPAN, server.span_id)
        assert (server.service, server.name) == ("slipway-gateway", f"POST {CHAT}")
        assert (server.failed, client.failed) == (False, False)
        assert _told(site)["traceparent"] == f"00-{TRACE}-{client.span_id}-01"
        assert _told(site)["tracestate"] == "a=1"
        about = client.attributes
        assert (about["slipway.model"], about["slipway.version"]) == ("demo", "v1")
        assert about["slipway.request_id"] == headers["x-request-id"]
        assert server.attributes["http.response.status_code"] == 200
        assert server.attributes["gen_ai.usage.output_tokens"] > 0
    assert SECRET.encode() not in b"".join(collector.raw)


def _by_kind(spans: Any) -> tuple[Any, Any]:
    found = {span.kind: span for span in spans}
    return found["SERVER"], found["CLIENT"]


@pytest.mark.parametrize("bad", ["", "garbage", "00-" + "0" * 32 + f"-{SPAN}-01"])
async def test_a_bad_context_begins_a_new_trace(
    open_site: Any, collector: Collector, bad: str
) -> None:
    async with open_site(environ=collector.environment()) as site:
        await _chat(site, traceparent=bad, tracestate="a=1")
        server, client = _by_kind(await collector.wait(2))
        assert server.parent == ""
        assert client.trace_id == server.trace_id
        assert re.fullmatch(
            rf"00-{server.trace_id}-{client.span_id}-01", _told(site)["traceparent"]
        )
        assert "tracestate" not in _told(site)


async def test_an_attempt_that_fails_and_its_second(open_site: Any, collector: Collector) -> None:
    async with open_site(environ=collector.environment()) as site:
        nowhere = f"http://127.0.0.1:{free_port()}"
        await site.publish_beside(nowhere)
        await _chat(site, traceparent=PARENT)
        spans = await collector.wait(3, trace_id=TRACE)
        attempts = sorted(
            (span for span in spans if span.kind == "CLIENT"),
            key=lambda span: span.attributes["slipway.attempt"],
        )
        assert [span.failed for span in attempts] == [True, False]
        assert attempts[0].attributes["error.type"] == "BackendUnreachable"
        assert [span.attributes["slipway.version"] for span in attempts] == ["v2", "v1"]


async def test_who_is_not_sampled_costs_no_span(open_site: Any, collector: Collector) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    async with open_site(environ=collector.environment(**sampler)) as site:
        await _chat(site)
        assert _told(site)["traceparent"].endswith("-00")
        await _chat(site, traceparent=PARENT[:-2] + "00")
        assert _told(site)["traceparent"].startswith(f"00-{TRACE}-")
        await _chat(site, traceparent=PARENT)
        await collector.wait(2, trace_id=TRACE)
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert len(collector.spans) == 2


async def test_a_question_is_answered_in_the_trace_of_who_asked(
    open_site: Any, collector: Collector
) -> None:
    environ = collector.environment()
    async with open_site(environ=environ) as site:
        await site.work(environ=environ)
        question, _ = await site.ask(SECRET)
        await site.answered(question)
        (asked,) = await collector.wait(1, name="POST /api/ask")
        (job,) = await collector.wait(1, name="job question")
        servers = await collector.wait(1, name=f"POST {CHAT}", kind="SERVER")
        assert (job.service, job.kind) == ("slipway-worker", "CONSUMER")
        assert job.parent == asked.span_id
        assert servers[0].parent == job.span_id
        assert {asked.trace_id, job.trace_id} == {servers[0].trace_id}
        assert f"-{asked.trace_id}-" in _told(site)["traceparent"]
    assert SECRET.encode() not in b"".join(collector.raw)


async def test_a_collector_that_is_away_fails_and_delays_nobody(open_site: Any) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    async with open_site(environ=environ) as site:
        answers = [await _chat(site, traceparent=PARENT) for _ in range(50)]
        assert {status for status, _ in answers} == {200}
        assert TRACE in _told(site)["traceparent"]
        assert await site.gateway.stop() == 0
    lines = check_log(site.gateway.log, service="gateway")
    assert any("exporting" in line["message"] for line in lines)


async def test_spans_that_wait_are_delivered_at_the_end(
    open_site: Any, collector: Collector
) -> None:
    environ = collector.environment(OTEL_BSP_SCHEDULE_DELAY="600000")
    async with open_site(environ=environ) as site:
        await _chat(site, traceparent=PARENT)
        assert collector.spans == []
    assert {span.trace_id for span in collector.spans} == {TRACE}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_SDK_DISABLED": "perhaps"}, "sdk_disabled"),
    ],
)
async def test_settings_that_are_wrong_are_told_and_serve_without(
    open_site: Any, collector: Collector, setting: dict[str, str], said: str
) -> None:
    async with open_site(environ=collector.environment(**setting)) as site:
        assert (await _chat(site))[0] == 200
    lines = check_log(site.gateway.log, service="gateway")
    (told,) = [line for line in lines if line["message"].startswith("no traces: ")]
    assert (told["level"], said in told["message"]) == ("error", True), json.dumps(told)
    assert collector.spans == []
