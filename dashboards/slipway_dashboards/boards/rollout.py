"""Rollout: where a version stands, what it is judged on, and why it went up or back."""

from __future__ import annotations

from slipway_contracts.conditions import Phase
from slipway_contracts.metrics import lifecycle
from slipway_contracts.metrics.foreign import foreign
from slipway_contracts.rollout import Metric
from slipway_dashboards.board import Board, Choice, Limit, Mark, Panel, Query, Row, Shape, Unit
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import OF_MODEL, OF_VERSION, highest, of, share, stated

_VERSION = "model, version"
_VERDICTS = (
    ("Pass", "green"),
    ("Continue", "light-blue"),
    ("NoData", "blue"),
    ("Error", "orange"),
    ("Fail", "red"),
)
_COLOURS = {
    Phase.TRAINING: "purple",
    Phase.EVALUATING: "light-purple",
    Phase.AWAITING_APPROVAL: "yellow",
    Phase.DEPLOYING: "light-blue",
    Phase.SHADOWING: "blue",
    Phase.CANARY: "dark-blue",
    Phase.PROMOTING: "light-green",
    Phase.SERVING: "green",
    Phase.REJECTED: "orange",
    Phase.FAILED: "dark-red",
    Phase.ROLLING_BACK: "light-red",
    Phase.ROLLED_BACK: "red",
    Phase.PAUSED: "dark-yellow",
}
PHASES = tuple((phase.value, _COLOURS.get(phase, "text")) for phase in Phase)
METRICS = {
    Metric.ERROR: "Error rate",
    Metric.REFUSED: "Refused rate",
    Metric.EMPTY: "Empty answers",
    Metric.TRUNCATED: "Truncated answers",
    Metric.SLOW_START: "Slow starts",
    Metric.SLOW_TOKENS: "Slow tokens",
    Metric.SCHEMA_INVALID: "Answers off schema",
    Metric.THUMBS_DOWN: "Thumbs down",
}


def _judged(metric: Metric) -> Panel:
    """Candidate, stable and bound of one rate of bad events."""
    chosen = f'metric="{metric}"'
    sides = highest(lifecycle.ANALYSIS_RATE, OF_VERSION, chosen, by="model, version, side")
    bound = highest(lifecycle.ANALYSIS_BOUND, OF_VERSION, chosen, by=_VERSION)
    always = metric in {Metric.ERROR, Metric.EMPTY, Metric.REFUSED}
    return Panel(
        title=METRICS[metric],
        about="Share of bad answers since the step began, candidate beside stable; the candidate "
        "may not exceed the bound.",
        unit=Unit.RATIO,
        queries=(
            Query(expr=sides, legend="{{version}} {{side}}"),
            Query(expr=bound, legend="{{version}} bound", fed_by=None if always else Feed.JUDGED),
        ),
        fed_by=Feed.ROLLOUT if always else Feed.JUDGED,
        width=6,
    )


_STANDS = Row(
    title="Where it stands",
    panels=(
        Panel(
            title="Phase",
            about="The phase of each version over time.",
            unit=Unit.COUNT,
            shape=Shape.STATES,
            states=PHASES,
            queries=(
                Query(
                    expr=stated(
                        lifecycle.VERSION_PHASE,
                        "phase",
                        tuple(phase.value for phase in Phase),
                        OF_VERSION,
                        by=_VERSION,
                    ),
                    legend="{{version}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=24,
            runbooks=("version-failed",),
        ),
        Panel(
            title="Weight",
            about="Share of traffic: as written, and as every live gateway applies it. A gap that "
            "stays is a gateway that does not hear.",
            unit=Unit.PERCENT,
            bounded=True,
            queries=(
                Query(
                    expr=highest(lifecycle.ROLLOUT_WEIGHT, OF_VERSION, by="model, version, kind"),
                    legend="{{version}} {{kind}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=12,
            height=8,
        ),
        Panel(
            title="Step",
            about="The step that runs, from 0 (-1 is shadow), and how many the ladder has.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=highest(lifecycle.ROLLOUT_STEP, OF_VERSION, by=_VERSION),
                    legend="{{version}} step",
                ),
                Query(
                    expr=highest(lifecycle.ROLLOUT_STEPS, OF_VERSION, by=_VERSION),
                    legend="{{version}} of",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=6,
            height=8,
        ),
        Panel(
            title="Time in the step",
            about="Seconds since the step began, time paused left out.",
            unit=Unit.SECONDS,
            queries=(
                Query(
                    expr=highest(lifecycle.ROLLOUT_STEP_SECONDS, OF_VERSION, by=_VERSION),
                    legend="{{version}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=6,
            height=8,
        ),
        Panel(
            title="Share of the longest time allowed",
            about="Seconds since the rollout began against rollout.maxDuration; at 100 % the "
            "configured action is taken.",
            unit=Unit.RATIO,
            queries=(
                Query(
                    expr=share(
                        highest(lifecycle.ROLLOUT_SECONDS, OF_VERSION, by=_VERSION),
                        highest(lifecycle.ROLLOUT_MAX_SECONDS, OF_VERSION, by=_VERSION),
                    ),
                    legend="{{version}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            limits=(Limit(at=0.7, colour="orange"), Limit(at=1, colour="red")),
            runbooks=("rollout-stuck",),
        ),
        Panel(
            title="Stalled",
            about="1 while a version cannot go on, by reason; `slipway rollout explain` says more.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=f"{highest(lifecycle.VERSION_STALLED, OF_VERSION, by='version, reason')}"
                    " > 0",
                    legend="{{version}}: {{reason}}",
                ),
            ),
            fed_by=Feed.TROUBLE,
            runbooks=("candidate-unschedulable", "version-stalled"),
        ),
        Panel(
            title="Held by a person",
            about="1 while somebody paused it or it waits for approval: both clocks stand still.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=highest(lifecycle.ROLLOUT_PAUSED, OF_VERSION, by=_VERSION),
                    legend="{{version}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            runbooks=("rollout-paused-long",),
        ),
    ),
)
_JUDGED = Row(
    title="What it is judged on",
    panels=(
        Panel(
            title="Verdicts",
            about="The verdict of each metric at each look. A rollout goes on when all pass.",
            unit=Unit.COUNT,
            shape=Shape.STATES,
            states=_VERDICTS,
            queries=(
                Query(
                    expr=stated(
                        lifecycle.ANALYSIS_VERDICT,
                        "verdict",
                        tuple(word for word, _ in _VERDICTS),
                        OF_VERSION,
                        by="model, version, metric",
                    ),
                    legend="{{version}} {{metric}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=24,
            height=8,
            runbooks=("version-rolled-back",),
        ),
        *(_judged(metric) for metric in Metric),
        Panel(
            title="Requests behind the verdicts",
            about="Requests that the latest look was made on; few of them decide nothing.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=highest(
                        lifecycle.ANALYSIS_REQUESTS, OF_VERSION, by="version, metric, side"
                    ),
                    legend="{{version}} {{metric}} {{side}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=12,
            runbooks=("analysis-without-data",),
        ),
        Panel(
            title="Error budget",
            about="Ticks of the analysis that could not be read, beside how many may be before "
            "the configured action.",
            unit=Unit.COUNT,
            queries=(
                Query(
                    expr=highest(lifecycle.ERROR_BUDGET, OF_VERSION, by="model, version, kind"),
                    legend="{{version}} {{kind}}",
                ),
            ),
            fed_by=Feed.ROLLOUT,
            width=12,
            runbooks=("analysis-unreadable",),
        ),
    ),
)
_EVALUATED = Row(
    title="What it was before it took traffic",
    panels=(
        Panel(
            title="Evaluation against the baseline",
            about="Each gate's figure of the candidate, and its baseline's.",
            unit=Unit.SCORE,
            queries=(
                Query(
                    expr=highest(lifecycle.EVALUATION_SCORE, OF_VERSION, by="version, gate, side"),
                    legend="{{version}} {{gate}} {{side}}",
                ),
            ),
            fed_by=Feed.EVALUATION,
            width=24,
            runbooks=("version-rejected",),
        ),
    ),
)
_NOW = f"{of(lifecycle.VERSION_PHASE, OF_VERSION)} == 1"
_BEFORE = f"{of(lifecycle.VERSION_PHASE, OF_VERSION)} offset 1m == 1"
_FIRING = of(foreign("ALERTS"), 'alertstate="firing"', 'model=~"$model|"')

ROLLOUT = Board(
    name="rollout",
    title="Slipway / Rollout",
    about="Is the new version better or worse, how much traffic has it, and why?",
    rows=(_STANDS, _JUDGED, _EVALUATED),
    choices=(
        Choice(name="model", source=lifecycle.VERSION_PHASE.name, title="Model"),
        Choice(name="version", source=of(lifecycle.VERSION_PHASE, OF_MODEL), title="Version"),
    ),
    marks=(
        Mark(
            name="Phases",
            expr=f"{_NOW} unless {_BEFORE}",
            title="{{version}}: {{phase}}",
            text="{{model}}",
            colour="blue",
            fed_by=Feed.ROLLOUT,
        ),
        Mark(
            name="Alerts",
            expr=_FIRING,
            title="{{alertname}}",
            text="{{model}} {{version}}",
            colour="red",
            fed_by=Feed.TROUBLE,
        ),
    ),
)
