"""Training: does the run learn, how fast, when is it done, and is it safe on disk?"""

from __future__ import annotations

from slipway_contracts.metrics import lifecycle
from slipway_dashboards.board import Board, Choice, Limit, Panel, Query, Row, Unit
from slipway_dashboards.boards.accelerators import accelerators
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import OF_MODEL, OF_VERSION, Named, highest, of, share

_VERSION = "model, version"


def _gauge(
    title: str,
    about: str,
    unit: Unit,
    metric: Named,
    *,
    limits: tuple[Limit, ...] = (),
    runbooks: tuple[str, ...] = (),
) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=(
            Query(expr=highest(metric, OF_VERSION, by=_VERSION), legend="{{model}} {{version}}"),
        ),
        fed_by=Feed.TRAINING,
        limits=limits,
        runbooks=runbooks,
    )


_LEARNS = Row(
    title="Does it learn",
    panels=(
        Panel(
            title="Loss",
            about="Latest training and held-out loss of the run.",
            unit=Unit.SCORE,
            queries=(
                Query(
                    expr=highest(lifecycle.TRAINING_LOSS, OF_VERSION, by="model, version, split"),
                    legend="{{model}} {{version}} {{split}}",
                ),
            ),
            fed_by=Feed.TRAINING,
            width=12,
            height=8,
            runbooks=("training-loss-not-finite",),
        ),
        Panel(
            title="Validation metric",
            about="Each gate's figure when the run was evaluated, and the baseline's; for images "
            "that is the macro F1.",
            unit=Unit.SCORE,
            queries=(
                Query(
                    expr=highest(lifecycle.EVALUATION_SCORE, OF_VERSION, by="version, gate, side"),
                    legend="{{version}} {{gate}} {{side}}",
                ),
            ),
            fed_by=Feed.EVALUATION,
            width=12,
            height=8,
        ),
    ),
)
_FAST = Row(
    title="How fast, and until when",
    panels=(
        _gauge(
            "Tokens a second",
            "Throughput of the run.",
            Unit.TOKENS_PER_SECOND,
            lifecycle.TRAINING_SPEED,
        ),
        _gauge("Time left", "To the run's end at this pace.", Unit.SECONDS, lifecycle.TRAINING_ETA),
        Panel(
            title="Progress",
            about="Optimizer steps done, of all.",
            unit=Unit.RATIO,
            bounded=True,
            queries=(
                Query(
                    expr=share(
                        highest(lifecycle.TRAINING_STEP, OF_VERSION, by=_VERSION),
                        highest(lifecycle.TRAINING_STEPS, OF_VERSION, by=_VERSION),
                    ),
                    legend="{{model}} {{version}}",
                ),
            ),
            fed_by=Feed.TRAINING,
        ),
    ),
)
_SAFE = Row(
    title="Is it well",
    panels=(
        _gauge(
            "Since the last step",
            "Time since the run was last seen to take a step.",
            Unit.SECONDS,
            lifecycle.TRAINING_PROGRESS_AGE,
            limits=(Limit(at=300, colour="orange"), Limit(at=900, colour="red")),
            runbooks=("training-stalled",),
        ),
        _gauge(
            "Since the last checkpoint",
            "What would be lost if the run died now.",
            Unit.SECONDS,
            lifecycle.TRAINING_CHECKPOINT_AGE,
            runbooks=("training-checkpoint-overdue",),
        ),
        _gauge(
            "Restarts",
            "How often the run was started again.",
            Unit.COUNT,
            lifecycle.TRAINING_RESTARTS,
            limits=(Limit(at=1, colour="orange"), Limit(at=3, colour="red")),
            runbooks=("training-restarts",),
        ),
    ),
)

TRAINING = Board(
    name="training",
    title="Slipway / Training",
    about="Does the run learn, when is it done, and is it safe?",
    rows=(_LEARNS, _FAST, _SAFE, accelerators("GPUs")),
    choices=(
        Choice(name="model", source=lifecycle.TRAINING_STEPS.name, title="Model"),
        Choice(name="version", source=of(lifecycle.TRAINING_STEPS, OF_MODEL), title="Version"),
    ),
)
