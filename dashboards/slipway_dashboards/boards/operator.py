"""Operator: does it keep up, does it fail, and how many objects stand where?"""

from __future__ import annotations

from slipway_contracts.metrics import lifecycle, operator
from slipway_contracts.metrics.foreign import foreign
from slipway_dashboards.board import Board, Limit, Panel, Query, Row, Shape, Unit
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import highest, increase, quantile, rate, total

_ONE = (Limit(at=1, colour="red"),)

_KEEPS_UP = Row(
    title="Does it keep up",
    panels=(
        Panel(
            title="Time of a pass",
            about="Seconds of one pass over one Model.",
            unit=Unit.SECONDS,
            queries=tuple(
                Query(expr=quantile(part, operator.RECONCILE), legend=f"p{round(part * 100)}")
                for part in (0.5, 0.95, 0.99)
            ),
            fed_by=Feed.OPERATOR,
            width=6,
        ),
        Panel(
            title="Passes",
            about="Passes over Models, a second.",
            unit=Unit.COUNTS_PER_SECOND,
            queries=(Query(expr=rate(operator.RECONCILE, suffix="_count"), legend="passes"),),
            fed_by=Feed.OPERATOR,
            width=6,
        ),
        Panel(
            title="Models that wait",
            about="Models that are due and wait for a worker of the queue.",
            unit=Unit.COUNT,
            queries=(
                Query(expr=highest(operator.QUEUE_DEPTH, by="instance"), legend="{{instance}}"),
            ),
            fed_by=Feed.OPERATOR,
            width=6,
            runbooks=("operator-backlog",),
        ),
        Panel(
            title="Failed passes",
            about="Passes that failed, by kind; conflicts are tried again at once.",
            unit=Unit.COUNTS_PER_SECOND,
            queries=(Query(expr=rate(operator.RECONCILE_ERRORS, by="kind"), legend="{{kind}}"),),
            fed_by=Feed.TROUBLE,
            width=6,
            runbooks=("operator-reconcile-errors",),
        ),
    ),
)
_OBJECTS = Row(
    title="Objects",
    panels=(
        Panel(
            title="Versions by phase",
            about="How many ModelVersions are in each phase.",
            unit=Unit.COUNT,
            shape=Shape.STACKED,
            queries=(Query(expr=highest(operator.VERSIONS, by="phase"), legend="{{phase}}"),),
            fed_by=Feed.OPERATOR,
        ),
        Panel(
            title="Models",
            about="Models by whether they are Ready.",
            unit=Unit.COUNT,
            shape=Shape.STACKED,
            queries=(Query(expr=highest(operator.MODELS, by="ready"), legend="Ready: {{ready}}"),),
            fed_by=Feed.OPERATOR,
        ),
        Panel(
            title="How rollouts ended",
            about="Attempts that ended in the time shown, by phase and reason.",
            unit=Unit.COUNT,
            shape=Shape.TABLE,
            queries=(
                Query(
                    expr=increase(operator.ROLLOUT_OUTCOMES, by="phase, reason"),
                    legend="{{phase}}: {{reason}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
        ),
        Panel(
            title="Stalled versions",
            about="Versions that cannot go on, by reason, over all Models.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=f"{total(lifecycle.VERSION_STALLED, by='reason')} > 0",
                    legend="{{reason}}",
                ),
            ),
            fed_by=Feed.TROUBLE,
            width=12,
            limits=_ONE,
        ),
        Panel(
            title="Restarts of runs",
            about="How often training was started again, over all versions.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=f"{highest(lifecycle.TRAINING_RESTARTS, by='model, version')} > 0",
                    legend="{{model}} {{version}}",
                ),
            ),
            fed_by=Feed.TROUBLE,
            width=12,
        ),
    ),
)
_HEALTH = Row(
    title="Its own health",
    panels=(
        Panel(
            title="Leader",
            about="1 in the replica that reconciles; the sum must be 1.",
            unit=Unit.COUNT,
            queries=(
                Query(expr=highest(operator.LEADER, by="instance"), legend="{{instance}}"),
                Query(expr=total(operator.LEADER), legend="leaders"),
            ),
            fed_by=Feed.OPERATOR,
            width=6,
            runbooks=("operator-no-leader",),
        ),
        Panel(
            title="PostgreSQL answers the operator",
            about="1 while it does; without it a rollout holds.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=f"min by (instance) ({operator.OPERATOR_CONNECTED.name})",
                    legend="{{instance}}",
                ),
            ),
            fed_by=Feed.OPERATOR,
            width=6,
        ),
        Panel(
            title="Watches opened anew",
            about="Watches that ended or fell silent in the time shown; a few an hour are normal.",
            unit=Unit.COUNT,
            queries=(Query(expr=increase(operator.WATCH_RESTARTS, by="why"), legend="{{why}}"),),
            fed_by=Feed.KUBERNETES,
            width=6,
            runbooks=("operator-watch-silent",),
        ),
        Panel(
            title="Targets",
            about="1 for each process that Prometheus can scrape.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=f"{foreign('up').name}" + '{job=~"slipway-.*"}',
                    legend="{{job}} {{instance}}",
                ),
            ),
            fed_by=Feed.TRAFFIC,
            width=6,
            runbooks=("gateway-down", "worker-down", "operator-down", "process-not-scraped"),
        ),
    ),
)

OPERATOR = Board(
    name="operator",
    title="Slipway / Operator",
    about="Does the operator keep up, and how many objects stand where?",
    rows=(_KEEPS_UP, _OBJECTS, _HEALTH),
)
