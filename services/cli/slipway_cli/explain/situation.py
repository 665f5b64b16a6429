"""The facts that are explained: one version, its Model, its newest measurement, and the time.

What the status does not say is worked out here once: the settings that hold, the clocks that run
(pauses left out), the step's own rules. Reads nothing from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from slipway_contracts.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    find_condition,
)
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion, RolloutStatus
from slipway_contracts.rollout import Rollout, Step
from slipway_contracts.serving import Serving
from slipway_store.measurements import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """``measured``: None where nothing was judged, or (``evidence_reachable`` False) where the
    measurements cannot be read from here.
    """

    version: ModelVersion
    now: datetime
    model: Model | None = None
    measured: Measurement | None = None
    evidence_reachable: bool = True

    @property
    def name(self) -> str:
        return self.version.metadata.name

    @property
    def phase(self) -> Phase:
        return self.version.status.phase

    @property
    def rollout(self) -> RolloutStatus:
        """Where it stands; an empty one before it began."""
        return self.version.status.rollout or RolloutStatus()

    @property
    def settings(self) -> Rollout:
        """The Model's rollout settings under the version's own."""
        base = self.model.spec.rollout if self.model is not None else Rollout()
        try:
            return base.overridden_by(self.version.spec.rollout)
        except ValidationError:
            return base

    @property
    def serving(self) -> Serving:
        """As snapshotted at acceptance."""
        return self.version.status.serving or Serving()

    @property
    def reason(self) -> Reason | None:
        """The one to show; None before anything was said."""
        said = self.version.status.reason
        return Reason(said) if said else None

    @property
    def weight(self) -> int:
        """The share that the present step asks for."""
        rollout = self.rollout
        if 0 <= rollout.step < len(rollout.plan):
            return rollout.plan[rollout.step]
        return rollout.weight_desired

    @property
    def step_rules(self) -> Step:
        """The step's own rules; Auto's rungs have the defaults."""
        own = (step for step in self.settings.steps if step.weight == self.weight)
        return next(own, Step(weight=max(1, min(99, self.weight))))

    @property
    def watched(self) -> bool:
        """It was promoted and is still judged beside the version before."""
        return (
            self.phase is Phase.SERVING
            and self.model is not None
            and self.model.status.stable == self.name
            and self.model.status.watch_until is not None
            and self.model.status.watch_until > self.now
        )

    def condition(self, kind: ConditionType) -> Condition | None:
        """Of the version."""
        return find_condition(self.version.status.conditions, kind)

    def unmet(self, *kinds: ConditionType) -> Condition | None:
        """The first of these that is there and not True."""
        found = (self.condition(kind) for kind in kinds)
        return next((c for c in found if c and c.status is not ConditionStatus.TRUE), None)

    @property
    def step_ends(self) -> datetime | None:
        """When the step has lasted long enough; None before it began."""
        rollout = self.rollout
        if rollout.step_started_at is None:
            return None
        waited = timedelta(seconds=rollout.step_paused_seconds) + self._standing_still(
            rollout.step_started_at
        )
        return rollout.step_started_at + self.step_rules.min_duration + waited

    @property
    def step_seconds(self) -> float:
        """How long the step has been judged."""
        rollout = self.rollout
        if rollout.step_started_at is None:
            return 0.0
        end = rollout.paused_since or self.now
        return (end - rollout.step_started_at).total_seconds() - rollout.step_paused_seconds

    @property
    def rollout_ends(self) -> datetime | None:
        """When ``maxDuration`` is over; None before it began."""
        rollout = self.rollout
        if rollout.started_at is None:
            return None
        waited = timedelta(seconds=rollout.paused_seconds) + self._standing_still(
            rollout.started_at
        )
        return rollout.started_at + self.settings.max_duration + waited

    def _standing_still(self, since: datetime) -> timedelta:
        """Of the pause that goes on."""
        paused = self.rollout.paused_since
        return self.now - max(paused, since) if paused is not None else timedelta(0)
