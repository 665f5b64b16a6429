"""The working state that flows through the policies: the statuses as they will be written.

One ``Draft`` a pass. Policies read the snapshot and change the drafts of the statuses; what should
exist (runs, backends, route) is derived from those at the end. Where a version stands is in its own
status alone, so that every transition is one write of one object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from slipway_contracts.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    find_condition,
    set_condition,
)
from slipway_contracts.model import Model
from slipway_contracts.model_version import (
    ModelVersion,
    ModelVersionSpec,
    ModelVersionStatus,
    Outcome,
    RolloutStatus,
)
from slipway_contracts.route import ModelRoute
from slipway_contracts.serving import Serving
from slipway_operator.core.decision import DesiredRun
from slipway_operator.core.effective import Effective, effective
from slipway_operator.core.snapshot import BackendObservation, BackendState, Snapshot

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(slots=True, kw_only=True)
class VersionDraft:
    """One version and the status that it will have."""

    obj: ModelVersion
    status: ModelVersionStatus
    specs: Effective | None
    seen: BackendObservation | None
    now: datetime

    @property
    def name(self) -> str:
        return self.obj.metadata.name

    @property
    def uid(self) -> str:
        return self.obj.metadata.uid

    @property
    def spec(self) -> ModelVersionSpec:
        return self.obj.spec

    @property
    def order(self) -> tuple[float, str]:
        """First come first served: by creation, then by name."""
        created = self.obj.metadata.creation_timestamp
        return (created.timestamp() if created else 0.0, self.name)

    @property
    def deleted(self) -> bool:
        return self.obj.metadata.deletion_timestamp is not None

    @property
    def live(self) -> bool:
        """Neither over nor on its way out."""
        return self.status.ending is None and self.status.outcome is None

    @property
    def over(self) -> bool:
        return self.status.outcome is not None

    @property
    def accepted(self) -> bool:
        return self.is_true(ConditionType.ACCEPTED)

    @property
    def rollout(self) -> RolloutStatus | None:
        return self.status.rollout

    @property
    def promoted(self) -> bool:
        return self.rollout is not None and self.rollout.promoted_at is not None

    @property
    def holds_slot(self) -> bool:
        return self.status.slot_taken_at is not None

    @property
    def paused(self) -> bool:
        return self.rollout is not None and self.rollout.paused_since is not None

    @property
    def ready(self) -> bool:
        """Its backend answers."""
        return self.seen is not None and self.seen.state is BackendState.READY

    @property
    def serving(self) -> Serving:
        """The snapshot taken at acceptance; before that, what would be taken."""
        if self.status.serving is not None:
            return self.status.serving
        return self.specs.serving if self.specs is not None else Serving()

    def is_true(self, kind: ConditionType) -> bool:
        found = find_condition(self.status.conditions, kind)
        return found is not None and found.status is TRUE

    def set(self, **changes: Any) -> None:
        """Change fields of the status; what is so already is left as it is."""
        known = self.status
        if any(getattr(known, name) != value for name, value in changes.items()):
            self.status = known.model_copy(update=changes)

    def set_rollout(self, **changes: Any) -> None:
        """Change the rollout status, beginning one where there is none."""
        self.set(rollout=(self.rollout or RolloutStatus()).model_copy(update=changes))

    def condition(
        self, kind: ConditionType, status: ConditionStatus, *, reason: Reason, message: str = ""
    ) -> None:
        self.set(
            conditions=stated(
                self.status.conditions,
                kind,
                (status, reason, message),
                now=self.now,
                generation=self.obj.metadata.generation,
            )
        )

    def leave(self, phase: Phase, reason: Reason, *, message: str) -> None:
        """Begin to leave: weight 0 now, then drain, then ``outcome``. A second call is ignored."""
        if not self.live:
            return
        self.set(ending=Outcome(phase=phase, reason=reason, message=message, at=self.now))
        if self.rollout is not None:
            self.set_rollout(decided_by=reason, decided_at=self.now, message=message)
            self.condition(ConditionType.PROMOTED, FALSE, reason=reason, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Who is who. ``candidate`` holds the slot and is not promoted, or is leaving."""

    stable: VersionDraft | None
    previous: VersionDraft | None
    candidate: VersionDraft | None

    @property
    def holder(self) -> VersionDraft | None:
        """Whoever holds the rollout slot."""
        if self.candidate is not None:
            return self.candidate
        return self.stable if self.stable is not None and self.stable.holds_slot else None


@dataclass(slots=True, kw_only=True)
class Draft:
    """One pass over one Model."""

    snapshot: Snapshot
    versions: dict[str, VersionDraft]
    runs: dict[str, DesiredRun] = field(default_factory=dict)
    wakes: list[float] = field(default_factory=list)

    @staticmethod
    def of(snapshot: Snapshot) -> Draft:
        """Start from the statuses as they are stored."""
        drafts = [_version(snapshot, version) for version in snapshot.versions]
        return Draft(
            snapshot=snapshot,
            versions={v.name: v for v in sorted(drafts, key=lambda v: v.order)},
        )

    @property
    def now(self) -> datetime:
        return self.snapshot.now

    @property
    def model(self) -> Model | None:
        return self.snapshot.model

    @property
    def stored(self) -> ModelRoute | None:
        return self.snapshot.routes.stored

    @property
    def gateways(self) -> int:
        return self.snapshot.routes.live_gateways

    @property
    def pinned(self) -> VersionDraft | None:
        name = self.model.spec.pinned_version if self.model is not None else None
        return self.versions.get(name) if name else None

    def __iter__(self) -> Iterator[VersionDraft]:
        return iter(self.versions.values())

    @property
    def roles(self) -> Roles:
        """Derived from the versions' statuses: the last promoted one serves."""
        promoted = sorted(
            (v for v in self if v.promoted and not v.over), key=lambda v: (_promoted_at(v), v.name)
        )
        serving = [v for v in promoted if v.live]
        stable = serving[-1] if serving else None
        before = [v for v in promoted if v is not stable and not _rolled_back(v)]
        slot = [v for v in self if v.holds_slot and v is not stable]
        slot.sort(key=lambda v: v.status.slot_taken_at or self.now)
        return Roles(
            stable=stable,
            previous=before[-1] if before else None,
            candidate=slot[0] if slot else None,
        )

    def wake_at(self, moment: datetime) -> None:
        """Look again then (and not sooner than in 50 ms)."""
        self.wake_in((moment - self.now).total_seconds())

    def wake_in(self, seconds: float) -> None:
        self.wakes.append(max(0.05, seconds))


def elapsed(draft: VersionDraft, since: datetime, *, paused_seconds: float) -> timedelta:
    """Time on a clock that stands still while the rollout is paused."""
    rollout = draft.rollout
    end = draft.now
    if rollout is not None and rollout.paused_since is not None:
        end = max(rollout.paused_since, since)
    return end - since - timedelta(seconds=paused_seconds)


Said = tuple[ConditionStatus, Reason, str]


def stated(
    conditions: tuple[Condition, ...],
    kind: ConditionType,
    said: Said,
    *,
    now: datetime,
    generation: int,
) -> tuple[Condition, ...]:
    """The conditions with this one; the very same where it says so already, as it mostly does."""
    old, (status, reason, message) = find_condition(conditions, kind), said
    now_so = (status, reason, message, generation)
    if old and (old.status, old.reason, old.message, old.observed_generation) == now_so:
        return conditions
    new = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=now,
        observed_generation=generation,
    )
    return set_condition(conditions, new)


def _version(snapshot: Snapshot, version: ModelVersion) -> VersionDraft:
    return VersionDraft(
        obj=version,
        status=version.status,
        specs=effective(snapshot.model, version) if snapshot.model is not None else None,
        seen=snapshot.backends.get(version.status.backend),
        now=snapshot.now,
    )


def _promoted_at(v: VersionDraft) -> datetime:
    assert v.rollout is not None and v.rollout.promoted_at is not None
    return v.rollout.promoted_at


def _rolled_back(v: VersionDraft) -> bool:
    return v.status.ending is not None and v.status.ending.phase is not Phase.SUPERSEDED
