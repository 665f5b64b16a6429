"""Serving: what a model's users feel, version by version, and the engines behind it."""

from __future__ import annotations

from slipway_contracts.metrics import gateway
from slipway_dashboards.board import Board, Choice, Limit, Panel, Query, Row, Shape, Unit
from slipway_dashboards.boards.accelerators import accelerators
from slipway_dashboards.boards.engines import ENGINES
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import (
    OF_MODEL,
    OF_VERSION,
    Named,
    highest,
    mean,
    of,
    portion,
    quantile,
    rate,
    recorded,
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
                    expr=portion(
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
                    expr=portion(
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


SERVING = Board(
    name="serving",
    title="Slipway / Serving",
    about="Are answers fast, right and enough, and what holds them up?",
    rows=(_FELT, _PROMISES, _WAITED, ENGINES, accelerators("GPUs")),
    choices=(
        Choice(name="model", source=gateway.INFERENCE_REQUESTS.name, title="Model"),
        Choice(name="version", source=of(gateway.INFERENCE_REQUESTS, OF_MODEL), title="Version"),
    ),
)
