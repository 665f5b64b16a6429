"""One version as the last pass over its Model left it, with what else was seen of it then.

Plain data: ``lifecycle`` keeps it between passes, and the other modules of this folder read it at
a scrape. Ages and seconds are of the scrape, so they go on where passes stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.model_version import ModelVersionStatus, RolloutStatus
from slipway_contracts.rollout import Rollout
from slipway_operator.core.snapshot import Milestones
from slipway_verdicts.judgement import Judgement
from slipway_verdicts.plan import AnalysisPlan

Told: TypeAlias = Iterator[tuple[MetricName, tuple[str, ...], float]]
"""A metric, its label values after model and version, its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The latest judgement, what it was judged by, and whether there was a stable arm."""

    judgement: Judgement
    plan: AnalysisPlan
    compared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """``milestones``: of the run that makes it, while it runs."""

    model: str
    name: str
    status: ModelVersionStatus
    rollout: Rollout
    look: Look | None = None
    milestones: Milestones | None = None

    @property
    def run(self) -> str:
        """Name of the run that makes it, empty without one."""
        return self.status.training.run if self.status.training is not None else ""

    @property
    def rolling(self) -> RolloutStatus | None:
        """Its rollout, while it goes on: from the first weight to the end of the watch."""
        status = self.status
        if status.slot_taken_at is None or status.ending is not None or status.outcome is not None:
            return None
        rollout = status.rollout
        return rollout if rollout is not None and rollout.started_at is not None else None


def merged(known: Milestones | None, seen: Milestones) -> Milestones:
    """What was seen now, and what was seen before where nothing newer was."""
    if known is None:
        return seen
    return replace(
        seen,
        began_at=_newest(known.began_at, seen.began_at),
        stepped_at=_newest(known.stepped_at, seen.stepped_at),
        checkpoint_at=_newest(known.checkpoint_at, seen.checkpoint_at),
        eval_loss=known.eval_loss if seen.eval_loss is None else seen.eval_loss,
    )


def seconds(now: datetime, since: datetime, rollout: RolloutStatus, *, paused: float) -> float:
    """On a clock that stands still while the rollout is paused."""
    end = now if rollout.paused_since is None else max(rollout.paused_since, since)
    return max(0.0, (end - since).total_seconds() - paused)


def _newest(one: float | None, other: float | None) -> float | None:
    return max((at for at in (one, other) if at is not None), default=None)
