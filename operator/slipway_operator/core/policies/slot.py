"""The rollout slot: one version of a Model at a time, from Deploying until the old one is drained.

First come first served among those that may begin now, by creation time, then name. Who waits says
for whom, and what would let it go on.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_operator.core.draft import FALSE, Draft, VersionDraft
from slipway_operator.core.policies.evaluate import offline_done


def slot(draft: Draft) -> None:
    """Free the slot of what is over; give it to the first that may have it."""
    for v in draft:
        if v.over and v.holds_slot:
            v.set(slot_taken_at=None)
    _one_at_most(draft)
    for v in draft:
        if not _waiting(draft, v):
            continue
        reason, message = _obstacle(draft, v)
        if reason is None:
            v.set(slot_taken_at=draft.now, capacity_wait_since=None)
        else:
            v.condition(ConditionType.CANDIDATE_READY, FALSE, reason=reason, message=message)


def _one_at_most(draft: Draft) -> None:
    """Should two hold it (statuses that were written half), the later one steps back."""
    holders = [v for v in draft if v.holds_slot and not v.promoted and v.live]
    holders.sort(key=lambda v: (v.status.slot_taken_at or draft.now, v.order))
    for v in holders[1:]:
        v.set(slot_taken_at=None, rollout=None)


def _waiting(draft: Draft, v: VersionDraft) -> bool:
    """Everything that comes before the slot is done."""
    if draft.model is None or not v.live or not v.accepted or v.holds_slot:
        return False
    return v.status.artifact is not None and v.rollout is None and offline_done(draft, v)


def _obstacle(draft: Draft, v: VersionDraft) -> tuple[Reason | None, str]:
    assert draft.model is not None and v.specs is not None
    if v.specs.evaluation.approval and not v.spec.approval.granted:
        return Reason.AWAITING_APPROVAL, "evaluated; to deploy it set spec.approval.granted: true"
    if draft.model.spec.traffic:
        return (
            Reason.FIXED_TRAFFIC,
            f"Model {draft.model.metadata.name} has a fixed spec.traffic; clear it to roll out",
        )
    if v.spec.desired_state == "Paused":
        return Reason.PAUSED, "set spec.desiredState: Active to go on"
    pinned = draft.pinned
    if pinned is not None and pinned is not v:
        return (
            Reason.PINNED,
            f"Model is pinned to {pinned.name}; clear its spec.pinnedVersion or name {v.name}",
        )
    holder = next((other for other in draft if other.holds_slot), None)
    if holder is not None:
        return Reason.ANOTHER_ROLLOUT_ACTIVE, f"waits until the rollout of {holder.name} is over"
    return None, ""


def revive(draft: Draft) -> None:
    """``pinnedVersion`` names one that is superseded: it comes back, and the slot is made free."""
    v = draft.pinned
    if v is None or v.deleted or v.spec.desired_state != "Active":
        return
    outcome = v.status.outcome
    if outcome is None or outcome.phase is not Phase.SUPERSEDED or v.status.artifact is None:
        return
    if any(other.holds_slot for other in draft):
        return
    v.set(outcome=None, ending=None, rollout=None, slot_taken_at=draft.now)
