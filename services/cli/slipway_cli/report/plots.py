"""What is drawn of a version: its life, its training, each judged metric, its Model's traffic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from slipway_cli.explain.bounds import fails_above, rate
from slipway_cli.report.life import stations
from slipway_cli.report.material import Material
from slipway_cli.report.scale import Point, percent_label
from slipway_cli.report.svg import Bar, Line, Mark, Plot, draw_plot, draw_timeline, stacked

CANDIDATE, STABLE, BOUND = "one", "two", "bound"
# Versions of a Model beside each other; more than eight share colours.
TONES = ("one", "two", "three", "four", "five", "six", "seven", "eight")


def timeline(material: Material) -> str:
    """Empty where nothing is known of its life."""
    found = stations(material.situation)
    if not found:
        return ""
    rollout, status = material.situation.rollout, material.version.status
    ends = {"decided": rollout.decided_at, "promoted": rollout.promoted_at}
    if status.ending is not None:
        ends = {status.ending.phase.value: status.ending.at}
    marks = {at: name for name, at in ends.items() if at is not None}
    last = max(station.end or material.situation.now for station in found)
    return draw_timeline(
        [
            Bar(
                name=s.name,
                start=s.start.timestamp(),
                end=s.end.timestamp() if s.end is not None else None,
                tone=s.tone,
                says=f"{s.name}: {s.says}",
            )
            for s in found
        ],
        [Mark(at=at.timestamp(), name=name) for at, name in marks.items()],
        until=last.timestamp(),
        title="Stations of its life (UTC)",
        description="; ".join(f"{s.name}: {s.says}" for s in found),
    )


def training_curve(material: Material) -> str:
    """Loss and evaluation loss by step; empty without a line of progress."""
    loss = _latest({p.step: p.loss for p in material.progress if p.loss is not None})
    held = _latest({p.step: p.eval_loss for p in material.progress if p.eval_loss is not None})
    if not loss and not held:
        return ""
    last = (held or loss)[-1]
    return draw_plot(
        Plot(
            key="training",
            title="Training: loss by optimizer step",
            description=f"{len(loss)} points of training loss, {len(held)} of evaluation loss; "
            f"the last figure is {last[1]:.4g} at step {last[0]:.0f}",
            lines=[
                Line(name="training loss", points=loss, tone=CANDIDATE),
                Line(name="evaluation loss", points=held, tone=STABLE),
            ],
            over="steps",
            from_zero=False,
        )
    )


def metric_plots(material: Material) -> list[str]:
    """One a metric that was judged at least once: both rates, and the bound as it was then."""
    names: dict[str, None] = {}
    for measured in material.measurements:
        for metric in measured.body.get("metrics") or ():
            names[str(metric.get("metric", ""))] = None
    plots = [_metric(material, name, number) for number, name in enumerate(names) if name]
    return [plot for plot in plots if plot]


def _metric(material: Material, name: str, number: int) -> str:
    analysis = material.situation.settings.analysis
    candidate, stable, bound = [], [], []
    for measured in material.measurements:
        found = _of(measured.body, name)
        if found is None:
            continue
        at = measured.at.timestamp()
        candidate += _point(at, rate(found, "candidate"))
        stable += _point(at, rate(found, "stable"))
        bound += _point(at, fails_above(found, analysis))
    if not candidate and not stable:
        return ""
    said = f"candidate last {percent_label(candidate[-1][1])}" if candidate else "no request"
    limit = f", bound {percent_label(bound[-1][1])}" if bound else ""
    return draw_plot(
        Plot(
            key=f"metric-{number}",
            title=f"{name}: share of bad requests in each step so far",
            description=f"{len(candidate)} looks; {said}{limit}",
            lines=[
                Line(name="fails above", points=bound, tone=BOUND, dashed=True),
                Line(name="stable", points=stable, tone=STABLE),
                Line(name="candidate", points=candidate, tone=CANDIDATE),
            ],
            over="time",
            marks=_step_marks(material),
            label=percent_label,
        )
    )


def traffic(material: Material) -> str:
    """Requests a second by version, stacked; empty without a request."""
    versions = sorted({point.version for point in material.traffic})
    if not versions or not material.bucket:
        return ""
    moments = _moments(material)
    by_place = {(p.version, p.at.timestamp()): p.requests for p in material.traffic}
    layers: list[tuple[str, list[Point]]] = [
        (
            version or "(no version)",
            [(at, by_place.get((version, at), 0) / material.bucket) for at in moments],
        )
        for version in versions
    ]
    total = sum(point.requests for point in material.traffic)
    bad = sum(point.bad for point in material.traffic)
    return draw_plot(
        Plot(
            key="traffic",
            title="Traffic of the Model by version, requests a second",
            description=f"{total} requests, {bad} of them bad, to {', '.join(versions)}",
            lines=stacked(layers, TONES),
            over="time",
            marks=_step_marks(material),
        )
    )


def _moments(material: Material) -> list[float]:
    """Every bucket from the first to the last, also those without a request."""
    first = min(point.at for point in material.traffic).timestamp()
    last = max(point.at for point in material.traffic).timestamp()
    buckets = round((last - first) / material.bucket)
    return [first + index * material.bucket for index in range(buckets + 1)]


def _step_marks(material: Material) -> list[Mark]:
    steps = material.situation.rollout.steps
    return [Mark(at=_stamp(step.started_at), name=f"{step.weight} %") for step in steps]


def _of(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    metrics = body.get("metrics") or ()
    return next((metric for metric in metrics if metric.get("metric") == name), None)


def _point(at: float, value: float | None) -> list[Point]:
    return [(at, value)] if value is not None else []


def _latest(by_step: Mapping[int, float | None]) -> list[Point]:
    return [(float(step), value) for step, value in sorted(by_step.items()) if value is not None]


def _stamp(moment: datetime) -> float:
    return moment.timestamp()
