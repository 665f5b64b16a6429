"""Serving: what a model's users feel, version by version, and the engines behind it."""

from __future__ import annotations

from slipway_contracts.metrics import gateway
from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Board, Choice, Limit, Panel, Query, Row, Shape, Unit
from slipway_dashboards.boards.accelerators import accelerators
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import (
    OF_MODEL,
    OF_VERSION,
    Named,
    highest,
    mean,
    of,
    quantile,
    rate,
    recorded,
    share,
    total,
)

_VERSION = "model, version"
_LATE = (Limit(at=2, colour="orange"), Limit(at=10, colour="red"))


def quantiles(metric: Named, *matchers: str) -> tuple[Query, ...]:
    """The median, 95 and 99 of 100, by version."""
    return tuple(
        Query(
            expr=quantile(part, metric, *matchers, by=_VERSION),
            legend=f"{{{{version}}}} p{round(part * 100)}",
        )
        for part in (0.5, 0.95, 0.99)
    )


def _burn(window: str) -> str:
    spent = highest(recorded(f"slipway:slo_errors:ratio_rate{window}"), OF_MODEL, by="slo, model")
    return f"{spent} / {highest(recorded('slipway:slo_budget:ratio'), OF_MODEL, by='slo, model')}"


_PROMISES = Row(
    title="What is promised",
    panels=(
        Panel(
            title="Burn rate",
            about="How many times faster than the promise allows its budget is spent: 1 just keeps "
            "it, 14.4 spends two days' worth in an hour.",
            unit=Unit.COUNT,
            queries=tuple(
                Query(expr=_burn(window), legend=f"{{{{model}}}} {{{{slo}}}} {window}")
                for window in ("5m", "1h", "6h")
            ),
            fed_by=Feed.ALERTS,
            width=12,
            limits=(Limit(at=1, colour="orange"), Limit(at=14.4, colour="red")),
            runbooks=(
                "model-availability-burns-fast",
                "model-availability-burns-slowly",
                "model-first-token-burns-fast",
                "model-first-token-burns-slowly",
            ),
        ),
        Panel(
            title="Budget spent",
            about="How much of three days' budget of bad answers three days have spent; from 1 on "
            "the promise is broken.",
            unit=Unit.RATIO,
            queries=(
                Query(
                    expr=highest(
                        recorded("slipway:slo_budget_spent:ratio3d"), OF_MODEL, by="slo, model"
                    ),
                    legend="{{model}} {{slo}}",
                ),
            ),
            fed_by=Feed.ALERTS,
            width=12,
            limits=(Limit(at=0.75, colour="orange"), Limit(at=1, colour="red")),
        ),
    ),
)
_FELT = Row(
    title="What users feel",
    panels=(
        Panel(
            title="Request rate",
            about="Attempts at each version, a second.",
            unit=Unit.PER_SECOND,
            queries=(
                Query(
                    expr=rate(gateway.INFERENCE_REQUESTS, OF_VERSION, by=_VERSION),
                    legend="{{model}} {{version}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Error rate",
            about="Share of attempts that failed at the version.",
            unit=Unit.RATIO,
            queries=(
                Query(
                    expr=share(
                        rate(
                            gateway.INFERENCE_REQUESTS, OF_VERSION, 'outcome="error"', by=_VERSION
                        ),
                        rate(gateway.INFERENCE_REQUESTS, OF_VERSION, by=_VERSION),
                    ),
                    legend="{{model}} {{version}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            limits=(Limit(at=0.01, colour="orange"), Limit(at=0.05, colour="red")),
        ),
        Panel(
            title="Outcomes",
            about="Attempts by how they ended; cancelled is the client's own doing.",
            unit=Unit.PER_SECOND,
            shape=Shape.STACKED,
            queries=(
                Query(
                    expr=rate(gateway.INFERENCE_REQUESTS, OF_VERSION, by="outcome"),
                    legend="{{outcome}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Latency",
            about="From a request's arrival to its last byte.",
            unit=Unit.SECONDS,
            queries=quantiles(gateway.INFERENCE_LATENCY, OF_VERSION),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Time to first token",
            about="From a stream's arrival to its first content byte.",
            unit=Unit.SECONDS,
            queries=quantiles(gateway.TTFT, OF_VERSION),
            fed_by=Feed.STREAMS,
            limits=_LATE,
        ),
        Panel(
            title="Time between tokens",
            about="Mean gap between the content events of a stream.",
            unit=Unit.SECONDS,
            queries=quantiles(gateway.INTER_TOKEN, OF_VERSION),
            fed_by=Feed.STREAMS,
        ),
        Panel(
            title="Mean latency",
            about="The mean beside the quantiles: far above the median, few requests take long.",
            unit=Unit.SECONDS,
            queries=(
                Query(
                    expr=mean(gateway.INFERENCE_LATENCY, OF_VERSION, by=_VERSION),
                    legend="{{model}} {{version}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Tokens",
            about="Tokens as the engine counted them, a second.",
            unit=Unit.TOKENS_PER_SECOND,
            shape=Shape.STACKED,
            queries=(
                Query(
                    expr=rate(gateway.TOKENS, OF_VERSION, by="version, direction"),
                    legend="{{version}} {{direction}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=16,
        ),
    ),
)
_WAITED = Row(
    title="Queue and capacity",
    panels=(
        Panel(
            title="In flight",
            about="Attempts that have not ended, beside what the gateways give the version at "
            "once, as learnt.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=total(gateway.IN_FLIGHT, OF_VERSION, by=_VERSION),
                    legend="{{version}} in flight",
                ),
                Query(
                    expr=total(gateway.CONCURRENCY_LIMIT, OF_VERSION, by=_VERSION),
                    legend="{{version}} limit",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
        ),
        Panel(
            title="Queue",
            about="Requests that wait for a place at the version.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=total(gateway.QUEUE_WAITING, OF_VERSION, by=_VERSION), legend="{{version}}"
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
        ),
        Panel(
            title="Refused for want of a place",
            about="Answers 503, by why: full, too far ahead, too late, open circuit.",
            unit=Unit.PER_SECOND,
            queries=(
                Query(
                    expr=rate(gateway.QUEUE_REFUSED, OF_VERSION, by="version, why"),
                    legend="{{version}} {{why}}",
                ),
            ),
            fed_by=Feed.TROUBLE,
            width=6,
            runbooks=("model-overloaded",),
        ),
        Panel(
            title="Open circuits",
            about="Gateway processes that leave the version alone: it failed again and again.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=total(gateway.CIRCUIT_OPEN, OF_VERSION, by=_VERSION), legend="{{version}}"
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
            limits=(Limit(at=1, colour="red"),),
            runbooks=("circuit-open",),
        ),
        Panel(
            title="Answer cache hits",
            about="Share of the look-ups in the answer cache that found one.",
            unit=Unit.RATIO,
            bounded=True,
            queries=(
                Query(
                    expr=share(
                        rate(gateway.CACHE_LOOKUPS, OF_MODEL, 'outcome="hit"', by="model"),
                        rate(gateway.CACHE_LOOKUPS, OF_MODEL, by="model"),
                    ),
                    legend="{{model}}",
                ),
            ),
            fed_by=Feed.CACHE,
            width=12,
        ),
        Panel(
            title="Answer cache size",
            about="Bytes of answers that all gateways keep.",
            unit=Unit.BYTES,
            queries=(Query(expr=total(gateway.CACHE_BYTES), legend="kept"),),
            fed_by=Feed.CACHE,
            width=12,
        ),
    ),
)


def _engine(
    title: str, about: str, unit: Unit, *lines: tuple[str, str], runbooks: tuple[str, ...] = ()
) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=tuple(Query(expr=expr, legend=legend) for expr, legend in lines),
        fed_by=Feed.ENGINE,
        width=6,
        runbooks=runbooks,
    )


def _vllm(name: str) -> Named:
    return foreign(f"ray_vllm_{name}")


_ENGINES = Row(
    title="Engines",
    panels=(
        _engine(
            "Replicas",
            "Healthy replicas, as Ray Serve sees them.",
            Unit.COUNT,
            (
                total(foreign("ray_serve_deployment_replica_healthy"), OF_VERSION, by=_VERSION),
                "{{version}}",
            ),
            runbooks=("engine-replica-unhealthy",),
        ),
        _engine(
            "Running and waiting in the engine",
            "Requests in vLLM's batch, and those that wait for a place in it.",
            Unit.COUNT,
            (total(_vllm("num_requests_running"), OF_VERSION, by=_VERSION), "{{version}} running"),
            (total(_vllm("num_requests_waiting"), OF_VERSION, by=_VERSION), "{{version}} waiting"),
        ),
        _engine(
            "KV cache in use",
            "Share of vLLM's KV cache; near 100 % requests are preempted.",
            Unit.RATIO,
            (
                f"max by ({_VERSION}) ({of(_vllm('kv_cache_usage_perc'), OF_VERSION)})",
                "{{version}}",
            ),
        ),
        _engine(
            "Prefix cache hits",
            "Share of prompt tokens that vLLM found in its prefix cache.",
            Unit.RATIO,
            (
                share(
                    rate(_vllm("prefix_cache_hits_total"), OF_VERSION, by=_VERSION),
                    rate(_vllm("prefix_cache_queries_total"), OF_VERSION, by=_VERSION),
                ),
                "{{version}}",
            ),
        ),
        _engine(
            "Time to first token in the engine",
            "As vLLM sees it: the gateway's less queue and network.",
            Unit.SECONDS,
            (
                quantile(0.95, _vllm("time_to_first_token_seconds"), OF_VERSION, by=_VERSION),
                "{{version}} p95",
            ),
        ),
        _engine(
            "Where the engine's time goes",
            "Mean seconds of a request in queue, prefill and decode.",
            Unit.SECONDS,
            *(
                (
                    mean(_vllm(f"request_{part}_time_seconds"), OF_VERSION, by=_VERSION),
                    f"{{{{version}}}} {part}",
                )
                for part in ("queue", "prefill", "decode")
            ),
        ),
        _engine(
            "Tokens of the engine",
            "Prompt and generated tokens as vLLM counts them.",
            Unit.TOKENS_PER_SECOND,
            (rate(_vllm("prompt_tokens_total"), OF_VERSION, by=_VERSION), "{{version}} prompt"),
            (
                rate(_vllm("generation_tokens_total"), OF_VERSION, by=_VERSION),
                "{{version}} generated",
            ),
        ),
        _engine(
            "Ray Serve's own latency",
            "95 of 100 requests were processed by the replica within this.",
            Unit.MILLISECONDS,
            (
                quantile(
                    0.95,
                    foreign("ray_serve_deployment_processing_latency_ms"),
                    OF_VERSION,
                    by=_VERSION,
                ),
                "{{version}} p95",
            ),
        ),
    ),
)

SERVING = Board(
    name="serving",
    title="Slipway / Serving",
    about="Are answers fast, right and enough, and what holds them up?",
    rows=(_FELT, _PROMISES, _WAITED, _ENGINES, accelerators("GPUs")),
    choices=(
        Choice(name="model", source=gateway.INFERENCE_REQUESTS.name, title="Model"),
        Choice(name="version", source=of(gateway.INFERENCE_REQUESTS, OF_MODEL), title="Version"),
    ),
)
