"""The row of the engines: what Ray Serve and vLLM say of the versions that they run."""

from __future__ import annotations

from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Panel, Query, Row, Unit
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import OF_VERSION, Named, mean, of, portion, quantile, rate, total

_SERVE = "version, application"
"""A cluster's scrape gives the version; on a laptop versions share a Ray, and Serve's application
is the version."""
_VLLM = "version, model_name"
"""vLLM says only the model's public name."""


def _engine(
    title: str,
    about: str,
    unit: Unit,
    *lines: tuple[str, str],
    feed: Feed = Feed.ENGINE,
    runbooks: tuple[str, ...] = (),
) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=tuple(Query(expr=expr, legend=legend) for expr, legend in lines),
        fed_by=feed,
        width=6,
        runbooks=runbooks,
    )


def _vllm(name: str) -> Named:
    return foreign(f"ray_vllm_{name}")


ENGINES = Row(
    title="Engines",
    panels=(
        _engine(
            "Replicas",
            "Healthy replicas, as Ray Serve sees them.",
            Unit.COUNT,
            (
                total(foreign("ray_serve_deployment_replica_healthy"), OF_VERSION, by=_SERVE),
                "{{version}} {{application}}",
            ),
            runbooks=("engine-replica-unhealthy",),
        ),
        _engine(
            "Running and waiting in the engine",
            "Requests in vLLM's batch, and those that wait for a place in it.",
            Unit.COUNT,
            (
                total(_vllm("num_requests_running"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}} running",
            ),
            (
                total(_vllm("num_requests_waiting"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}} waiting",
            ),
        ),
        _engine(
            "KV cache in use",
            "Share of vLLM's KV cache; near 100 % requests are preempted.",
            Unit.RATIO,
            (
                f"max by ({_VLLM}) ({of(_vllm('kv_cache_usage_perc'), OF_VERSION)})",
                "{{model_name}} {{version}}",
            ),
        ),
        _engine(
            "Prefix cache hits",
            "Share of prompt tokens that vLLM found in its prefix cache.",
            Unit.RATIO,
            (
                portion(
                    rate(_vllm("prefix_cache_hits_total"), OF_VERSION, by=_VLLM),
                    rate(_vllm("prefix_cache_queries_total"), OF_VERSION, by=_VLLM),
                ),
                "{{model_name}} {{version}}",
            ),
        ),
        _engine(
            "Time to first token in the engine",
            "As vLLM sees it: the gateway's less queue and network.",
            Unit.SECONDS,
            (
                quantile(0.95, _vllm("time_to_first_token_seconds"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}} p95",
            ),
        ),
        _engine(
            "Where the engine's time goes",
            "Mean seconds of a request in queue, prefill and decode.",
            Unit.SECONDS,
            *(
                (
                    mean(_vllm(f"request_{part}_time_seconds"), OF_VERSION, by=_VLLM),
                    f"{{{{model_name}}}} {{{{version}}}} {part}",
                )
                for part in ("queue", "prefill", "decode")
            ),
        ),
        _engine(
            "Tokens of the engine",
            "Prompt and generated tokens as vLLM counts them.",
            Unit.TOKENS_PER_SECOND,
            (
                rate(_vllm("prompt_tokens_total"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}} prompt",
            ),
            (
                rate(_vllm("generation_tokens_total"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}} generated",
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
                    by=_SERVE,
                ),
                "{{version}} {{application}} p95",
            ),
        ),
        _engine(
            "Time between tokens in the engine",
            "As vLLM sees it.",
            Unit.SECONDS,
            (
                quantile(0.95, _vllm("inter_token_latency_seconds"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}} p95",
            ),
        ),
        _engine(
            "How requests end in the engine",
            "Requests a second that vLLM finished, by why: stop, length, abort.",
            Unit.PER_SECOND,
            (
                rate(
                    _vllm("request_success_total"),
                    OF_VERSION,
                    by="version, model_name, finished_reason",
                ),
                "{{model_name}} {{version}} {{finished_reason}}",
            ),
        ),
        _engine(
            "Preempted requests",
            "Requests that vLLM put back for want of KV cache; above 0 the engine is too full.",
            Unit.COUNTS_PER_SECOND,
            (
                rate(_vllm("num_preemptions_total"), OF_VERSION, by=_VLLM),
                "{{model_name}} {{version}}",
            ),
            feed=Feed.TROUBLE,
        ),
        _engine(
            "Errors and queue of Ray Serve",
            "Exceptions a second in replicas, and requests that wait for a replica.",
            Unit.COUNT,
            (
                rate(foreign("ray_serve_deployment_error_counter_total"), OF_VERSION, by=_SERVE),
                "{{version}} {{application}} errors a second",
            ),
            (
                total(foreign("ray_serve_deployment_queued_queries"), OF_VERSION, by=_SERVE),
                "{{version}} {{application}} waiting",
            ),
            feed=Feed.TROUBLE,
        ),
    ),
)
