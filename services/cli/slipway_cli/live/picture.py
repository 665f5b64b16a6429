"""One screen's worth: Models and versions from the objects, their figures from a window. Pure.

What the objects say (phase, weights) and what the metrics say stand side by side; neither is made
up from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from slipway_cli.live.figures import (
    ProcessFigures,
    QueueFigures,
    VersionFigures,
    of_version,
    processes,
    queues,
)
from slipway_cli.live.window import Alert, Window
from slipway_cli.resources import Resource
from slipway_contracts.conditions import (
    TERMINAL_PHASES,
    ConditionStatus,
    ConditionType,
    find_condition,
)
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


class Order(StrEnum):
    """``--sort``: how versions are ordered inside their Model."""

    WEIGHT = "weight"
    RATE = "rate"
    P95 = "p95"
    ERRORS = "errors"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """A Model. ``ready``: its condition, or empty."""

    name: str
    stable: str
    candidate: str
    ready: str
    routes: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """A version with what is measured of it."""

    model: str
    name: str
    phase: str
    reason: str
    progress: str
    desired: int | None
    observed: int | None
    since: datetime | None
    figures: VersionFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that ``status`` shows. ``note``: why figures are missing, if they are."""

    at: datetime
    source: str
    models: tuple[ModelLine, ...]
    versions: tuple[VersionLine, ...]
    hidden: int
    processes: tuple[ProcessFigures, ...]
    queues: tuple[QueueFigures, ...]
    alerts: tuple[Alert, ...] | None
    note: str = ""

    def body(self) -> dict[str, Any]:
        """For ``--json``: times as text, unknown figures as null."""
        found = asdict(self)
        for line in found["versions"]:
            line["since"] = line["since"].isoformat() if line["since"] else None
        return found | {"at": self.at.isoformat()}


def picture(
    resources: Sequence[Resource],
    window: Window | None,
    *,
    now: datetime,
    order: Order = Order.WEIGHT,
    every: bool = False,
    note: str = "",
) -> Picture:
    """``window``: None where nothing could be measured. ``every``: also versions that ended."""
    models = sorted((r for r in resources if isinstance(r, Model)), key=lambda m: m.metadata.name)
    versions = [r for r in resources if isinstance(r, ModelVersion)]
    shown = [v for v in versions if every or _does_something(v)]
    window = window or Window(source="")
    lines = sorted((_version(v, window) for v in shown), key=lambda line: _rank(line, order))
    return Picture(
        at=now,
        source=window.source,
        models=tuple(_model(model) for model in models),
        versions=tuple(lines),
        hidden=len(versions) - len(shown),
        processes=tuple(processes(window)),
        queues=tuple(queues(window)),
        alerts=window.alerts,
        note=note,
    )


def _does_something(version: ModelVersion) -> bool:
    rollout = version.status.rollout
    weighs = rollout is not None and (rollout.weight_desired or rollout.weight_observed)
    return version.status.phase not in TERMINAL_PHASES or bool(weighs)


def _model(model: Model) -> ModelLine:
    status = model.status
    ready = find_condition(status.conditions, ConditionType.READY)
    wrong = ready is not None and ready.status is not ConditionStatus.TRUE
    return ModelLine(
        name=model.metadata.name,
        stable=status.stable or "",
        candidate=status.candidate or "",
        ready=ready.status.value if ready is not None else "",
        routes=f"{status.routes_applied}/{status.routes_revision}",
        why=f"{ready.reason}: {ready.message}" if ready is not None and wrong else "",
    )


def _version(version: ModelVersion, window: Window) -> VersionLine:
    status, rollout = version.status, version.status.rollout
    return VersionLine(
        model=version.spec.model,
        name=version.metadata.name,
        phase=status.phase.value,
        reason=status.reason,
        # Of a run that has not told its length nothing is known yet.
        progress="" if status.progress.endswith("/0") else status.progress,
        desired=rollout.weight_desired if rollout is not None else None,
        observed=rollout.weight_observed if rollout is not None else None,
        since=version.metadata.creation_timestamp,
        figures=of_version(window, version.spec.model, version.metadata.name),
    )


def _rank(line: VersionLine, order: Order) -> tuple[str, float, str]:
    """Highest first, within the Model."""
    figures = line.figures
    match order:
        case Order.WEIGHT:
            high = float(line.observed or 0)
        case Order.RATE:
            high = figures.requests or 0.0
        case Order.P95:
            high = figures.p95 or 0.0
        case Order.ERRORS:
            high = figures.error_share or 0.0
        case Order.NAME:
            high = 0.0
    return line.model, -high, line.name
