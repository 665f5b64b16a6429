"""A fixed split (``Model.spec.traffic``): those versions, those shares, and no rollout.

What a split starts carries ``rollout.started_at`` without a promotion; when the split is taken
back, the version that was stable before serves on, and the others leave.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_contracts.model_version import RolloutStatus
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.policies.evaluate import offline_done
from slipway_operator.core.policies.promote import supersede


def split(draft: Draft) -> None:
    """Keep the members of the split, or send home those of one that is over."""
    model = draft.model
    if model is None:
        return
    names = {share.version for share in model.spec.traffic}
    if names:
        _end_rollout(draft, names)
    for v in draft:
        if v.name in names:
            _join(draft, v)
    leftover = [v for v in draft if member(v) and v.live and v.name not in names]
    if leftover:
        _send_home(draft, leftover, over=not names)


def member(v: VersionDraft) -> bool:
    """It serves by a fixed split, not by a rollout."""
    rollout = v.rollout
    return rollout is not None and not v.promoted and not v.holds_slot and rollout.step < 0


def _end_rollout(draft: Draft, names: set[str]) -> None:
    """A rollout that is under way ends: its version joins the split, or leaves."""
    roles = draft.roles
    candidate, stable = roles.candidate, roles.stable
    if candidate is not None and candidate.live:
        if candidate.name in names:
            candidate.set(rollout=None, slot_taken_at=None)
        else:
            candidate.leave(
                Phase.ROLLED_BACK,
                Reason.FIXED_TRAFFIC,
                message="the Model got a fixed spec.traffic that does not name this version",
            )
    if stable is None:
        return
    if roles.previous is not None and roles.previous.live and roles.previous.name not in names:
        supersede(roles.previous, stable)
    if stable.holds_slot:
        stable.set(slot_taken_at=None)


def _join(draft: Draft, v: VersionDraft) -> None:
    outcome = v.status.outcome
    if (
        outcome is not None
        and outcome.phase is Phase.SUPERSEDED
        and v.spec.desired_state == "Active"
    ):
        v.set(outcome=None, ending=None, rollout=None)
    if not v.live or v.status.artifact is None:
        return
    if v.rollout is None:
        if not v.accepted or not offline_done(draft, v):
            return
        v.set(rollout=RolloutStatus(started_at=draft.now))
    draft.wake_in(2)
    if v.ready:
        v.condition(ConditionType.CANDIDATE_READY, TRUE, reason=Reason.BACKEND_READY)
    else:
        v.condition(
            ConditionType.CANDIDATE_READY,
            FALSE,
            reason=Reason.STARTING,
            message="its share goes to the others until its backend answers",
        )


def _send_home(draft: Draft, leftover: list[VersionDraft], *, over: bool) -> None:
    stable = draft.roles.stable
    if stable is None and over:
        stored = draft.stored.backends if draft.stored is not None else ()
        weights = {entry.version: entry.weight for entry in stored}
        stable = max(leftover, key=lambda v: (weights.get(v.name, 0), v.order))
        stable.set_rollout(
            first=True, promoted_at=draft.now, decided_by=Reason.SERVING, decided_at=draft.now
        )
    for v in leftover:
        if v is not stable:
            v.leave(
                Phase.SUPERSEDED,
                Reason.SUPERSEDED,
                message="the Model's spec.traffic no longer names this version",
            )
