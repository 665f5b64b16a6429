"""Gateway: who uses how much, who is refused, and whether the log and the routes are fresh."""

from __future__ import annotations

from slipway_contracts.metrics import gateway, worker
from slipway_dashboards.board import Board, Choice, Limit, Panel, Query, Row, Shape, Unit
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import (
    OF_TENANT,
    highest,
    increase,
    portion,
    quantile,
    rate,
    total,
)

_LAG = (Limit(at=30, colour="orange"), Limit(at=300, colour="red"))
_NEVER = (Limit(at=0.001, colour="red"),)

_ASKED = Row(
    title="Requests",
    panels=(
        Panel(
            title="HTTP requests by status",
            about="All that the gateways answered, a second.",
            unit=Unit.PER_SECOND,
            shape=Shape.STACKED,
            queries=(Query(expr=rate(gateway.HTTP_REQUESTS, by="status"), legend="{{status}}"),),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="HTTP requests by route",
            about="Which part of the API is used.",
            unit=Unit.PER_SECOND,
            queries=(
                Query(
                    expr=rate(gateway.HTTP_REQUESTS, by="method, route"),
                    legend="{{method}} {{route}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Server errors",
            about="Share of the answers that were 5xx.",
            unit=Unit.RATIO,
            queries=(
                Query(
                    expr=portion(
                        rate(gateway.HTTP_REQUESTS, 'status=~"5.."'), rate(gateway.HTTP_REQUESTS)
                    ),
                    legend="5xx",
                ),
                Query(
                    expr=portion(
                        rate(gateway.HTTP_REQUESTS, 'status=~"4.."'), rate(gateway.HTTP_REQUESTS)
                    ),
                    legend="4xx",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            limits=(Limit(at=0.01, colour="orange"), Limit(at=0.05, colour="red")),
        ),
    ),
)
_TENANTS = Row(
    title="Tenants",
    panels=(
        Panel(
            title="Requests by tenant",
            about="Attempts by who asked. Use by key is a table: `slipway usage`.",
            unit=Unit.PER_SECOND,
            shape=Shape.STACKED,
            queries=(
                Query(
                    expr=rate(gateway.TENANT_REQUESTS, OF_TENANT, by="tenant"), legend="{{tenant}}"
                ),
            ),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Tokens by tenant",
            about="Tokens by who asked, a second.",
            unit=Unit.TOKENS_PER_SECOND,
            shape=Shape.STACKED,
            queries=(
                Query(
                    expr=rate(gateway.TENANT_TOKENS, OF_TENANT, by="tenant, direction"),
                    legend="{{tenant}} {{direction}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
        ),
        Panel(
            title="Limits reached",
            about="Answers 429, by tenant and by the limit.",
            unit=Unit.PER_SECOND,
            queries=(
                Query(
                    expr=rate(gateway.LIMIT_REFUSED, OF_TENANT, by="tenant, limit"),
                    legend="{{tenant}} {{limit}}",
                ),
            ),
            fed_by=Feed.TROUBLE,
        ),
        Panel(
            title="Errors by tenant",
            about="Share of a tenant's attempts that failed.",
            unit=Unit.RATIO,
            queries=(
                Query(
                    expr=portion(
                        rate(gateway.TENANT_REQUESTS, OF_TENANT, 'outcome="error"', by="tenant"),
                        rate(gateway.TENANT_REQUESTS, OF_TENANT, by="tenant"),
                    ),
                    legend="{{tenant}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=12,
        ),
        Panel(
            title="Use in the time shown",
            about="Tokens of each tenant in the time that is shown, the largest first.",
            unit=Unit.COUNT,
            shape=Shape.TABLE,
            queries=(
                Query(
                    expr=f"topk(20, {increase(gateway.TENANT_TOKENS, OF_TENANT, by='tenant')})",
                    legend="{{tenant}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=12,
        ),
    ),
)
_LOG = Row(
    title="The log of attempts",
    panels=(
        Panel(
            title="Log lag",
            about="Age of the oldest attempt that is not in PostgreSQL yet, by process.",
            unit=Unit.SECONDS,
            queries=(
                Query(expr=highest(gateway.LOG_OLDEST, by="instance"), legend="{{instance}}"),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
            limits=_LAG,
            runbooks=("log-shipper-lag",),
        ),
        Panel(
            title="Rows to ship",
            about="Attempts that are on disk and not in PostgreSQL yet.",
            unit=Unit.ROWS,
            queries=(Query(expr=total(gateway.LOG_PENDING), legend="all gateways"),),
            fed_by=Feed.TRAFFIC,
            width=6,
        ),
        Panel(
            title="Rows lost",
            about="Attempts that will never be in PostgreSQL, by why.",
            unit=Unit.ROWS,
            queries=(Query(expr=increase(gateway.LOG_LOST, by="why"), legend="{{why}}"),),
            fed_by=Feed.TROUBLE,
            width=6,
            limits=_NEVER,
            runbooks=("log-rows-lost",),
        ),
        Panel(
            title="Texts given up",
            about="Rows without their texts (bound), or whose redaction hook failed.",
            unit=Unit.COUNT,
            queries=(Query(expr=increase(gateway.LOG_DROPPED_TEXTS, by="why"), legend="{{why}}"),),
            fed_by=Feed.TROUBLE,
            width=6,
        ),
    ),
)
_FRESH = Row(
    title="Freshness",
    panels=(
        Panel(
            title="Routes applied",
            about="The revision that each process applies; a line that stays behind is a gateway "
            "that does not hear.",
            unit=Unit.COUNT,
            queries=(
                Query(expr=highest(gateway.ROUTES_REVISION, by="instance"), legend="{{instance}}"),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
            runbooks=("gateway-revisions-differ",),
        ),
        Panel(
            title="Age of the keys",
            about="Seconds since a process last knew its keys to be those of PostgreSQL.",
            unit=Unit.SECONDS,
            queries=(Query(expr=highest(gateway.KEYS_AGE, by="instance"), legend="{{instance}}"),),
            fed_by=Feed.TRAFFIC,
            width=6,
            limits=_LAG,
            runbooks=("key-store-stale",),
        ),
        Panel(
            title="PostgreSQL answers",
            about="1 while PostgreSQL answers the process.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=f"min by (instance) ({gateway.GATEWAY_CONNECTED.name})",
                    legend="gateway {{instance}}",
                ),
                Query(
                    expr=f"min by (instance) ({worker.WORKER_CONNECTED.name})",
                    legend="worker {{instance}}",
                    fed_by=Feed.WORKER,
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
            runbooks=("database-connection-lost",),
        ),
        Panel(
            title="Candidates fenced",
            about="Processes that send candidates nothing, because they have not heard from "
            "PostgreSQL for 10 s.",
            unit=Unit.COUNT,
            queries=(Query(expr=total(gateway.FENCED), legend="processes"),),
            fed_by=Feed.TRAFFIC,
            width=6,
            limits=(Limit(at=1, colour="red"),),
            runbooks=("gateway-fenced",),
        ),
    ),
)
_LATER = Row(
    title="Questions and batches",
    panels=(
        Panel(
            title="Jobs",
            about="Jobs by kind and state; every worker tells of the whole queue.",
            unit=Unit.COUNT,
            queries=(
                Query(expr=highest(worker.JOBS, by="kind, state"), legend="{{kind}} {{state}}"),
            ),
            fed_by=Feed.WORKER,
            runbooks=("dead-jobs",),
        ),
        Panel(
            title="Age of the oldest job",
            about="How long the oldest job that may run has waited.",
            unit=Unit.SECONDS,
            queries=(Query(expr=highest(worker.JOBS_OLDEST, by="kind"), legend="{{kind}}"),),
            fed_by=Feed.WORKER,
            limits=_LAG,
            runbooks=("jobs-wait-long",),
        ),
        Panel(
            title="Runs",
            about="Runs of jobs a second, by outcome.",
            unit=Unit.PER_SECOND,
            shape=Shape.STACKED,
            queries=(
                Query(
                    expr=rate(worker.JOB_RUNS, by="kind, outcome"), legend="{{kind}} {{outcome}}"
                ),
            ),
            fed_by=Feed.WORKER,
        ),
        Panel(
            title="Time of a run",
            about="95 of 100 runs took no longer.",
            unit=Unit.SECONDS,
            queries=(
                Query(expr=quantile(0.95, worker.JOB_SECONDS, by="kind"), legend="{{kind}} p95"),
            ),
            fed_by=Feed.WORKER,
            width=12,
        ),
        Panel(
            title="Batches ended",
            about="Batches that ended in the time shown, by status.",
            unit=Unit.COUNT,
            queries=(Query(expr=increase(worker.BATCH_JOBS, by="status"), legend="{{status}}"),),
            fed_by=Feed.BATCHES,
            width=12,
        ),
    ),
)

GATEWAY = Board(
    name="gateway",
    title="Slipway / Gateway",
    about="Who asks, who is refused, and is what the gateways know fresh?",
    rows=(_ASKED, _TENANTS, _LOG, _FRESH, _LATER),
    choices=(Choice(name="tenant", source=gateway.TENANT_REQUESTS.name, title="Tenant"),),
)
