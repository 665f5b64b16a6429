"""Vision: how well each class is told apart, and how fast images are answered.

A suite of images names its figures ``macro_f1`` and ``accuracy_CLASS``; a gate on one makes it a
series.
"""

from __future__ import annotations

from slipway_contracts.metrics import gateway, lifecycle, worker
from slipway_contracts.model import Task
from slipway_dashboards.board import Board, Choice, Limit, Panel, Query, Row, Unit
from slipway_dashboards.boards.accelerators import accelerators
from slipway_dashboards.boards.serving import quantiles
from slipway_dashboards.feeds import Feed
from slipway_dashboards.promql import OF_MODEL, OF_VERSION, highest, increase, of, portion, rate

_VERSION = "model, version"
_IMAGES = f'task="{Task.IMAGE_CLASSIFICATION}"'
_F1 = 'gate=~".*[.]macro_f1"'
_CLASS = 'gate=~".*[.]accuracy_.*"'
_WEAK = (Limit(at=0, colour="red"), Limit(at=0.7, colour="orange"), Limit(at=0.85, colour="green"))


def _scores(title: str, about: str, chosen: str, legend: str, by: str) -> Panel:
    return Panel(
        title=title,
        about=about,
        unit=Unit.RATIO,
        bounded=True,
        queries=(
            Query(
                expr=highest(lifecycle.EVALUATION_SCORE, OF_VERSION, chosen, by=by), legend=legend
            ),
        ),
        fed_by=Feed.IMAGES,
        width=12,
        height=8,
        limits=_WEAK,
    )


_WELL = Row(
    title="How well",
    panels=(
        _scores(
            "Macro F1",
            "Mean F1 over the classes on held-out images, candidate beside baseline.",
            _F1,
            "{{version}} {{side}}",
            "version, side",
        ),
        _scores(
            "Accuracy by class",
            "Share of each class's held-out images that were told right.",
            f'{_CLASS},side="candidate"',
            "{{version}} {{gate}}",
            "version, gate",
        ),
    ),
)
_FAST = Row(
    title="How fast",
    panels=(
        Panel(
            title="Inference latency",
            about="From an image's arrival to its answer.",
            unit=Unit.SECONDS,
            queries=quantiles(gateway.INFERENCE_LATENCY, OF_VERSION),
            fed_by=Feed.IMAGES,
            width=6,
        ),
        Panel(
            title="Throughput",
            about="Images answered a second.",
            unit=Unit.PER_SECOND,
            queries=(
                Query(
                    expr=rate(gateway.INFERENCE_REQUESTS, OF_VERSION, 'outcome="ok"', by=_VERSION),
                    legend="{{model}} {{version}}",
                ),
            ),
            fed_by=Feed.IMAGES,
            width=6,
        ),
        Panel(
            title="Errors",
            about="Share of the images that failed.",
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
            fed_by=Feed.IMAGES,
            width=6,
            limits=(Limit(at=0.01, colour="orange"), Limit(at=0.05, colour="red")),
        ),
        Panel(
            title="Image batches",
            about="Batches that ended in the time shown, by status.",
            unit=Unit.COUNT,
            queries=(Query(expr=increase(worker.BATCH_JOBS, by="status"), legend="{{status}}"),),
            fed_by=Feed.BATCHES,
            width=6,
        ),
    ),
)
_LEARNS = Row(
    title="Training of the classifier",
    panels=(
        Panel(
            title="Training loss",
            about="Cross-entropy of the run, training and validation.",
            unit=Unit.SCORE,
            queries=(
                Query(
                    expr=highest(lifecycle.TRAINING_LOSS, OF_VERSION, by="version, split"),
                    legend="{{version}} {{split}}",
                ),
            ),
            fed_by=Feed.IMAGES,
            width=24,
        ),
    ),
)

VISION = Board(
    name="vision",
    title="Slipway / Vision",
    about="Which classes are told apart, how well, and how fast?",
    rows=(_WELL, _FAST, _LEARNS, accelerators("GPUs")),
    choices=(
        Choice(name="model", source=of(lifecycle.MODEL_INFO, _IMAGES), title="Image model"),
        Choice(name="version", source=of(lifecycle.EVALUATION_SCORE, OF_MODEL), title="Version"),
    ),
)
