"""Pause: both clocks stand still and the weight is held. A bad verdict still acts.

By ``spec.desiredState``, and while an approval is waited for (that has no condition Paused).
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Reason
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.policies.promote import awaits_approval


def pause(draft: Draft) -> None:
    """Begin or end the pause of whoever holds the slot."""
    for v in draft:
        wanted = v.spec.desired_state == "Paused" and v.live
        if wanted:
            v.condition(
                ConditionType.PAUSED,
                TRUE,
                reason=Reason.PAUSED,
                message="set spec.desiredState: Active to go on",
            )
        elif v.is_true(ConditionType.PAUSED):
            v.condition(ConditionType.PAUSED, FALSE, reason=Reason.RESUMED)
        # a person who is waited for is not evidence that is missing
        stands = wanted or (v.live and not v.promoted and awaits_approval(v))
        _clocks(v, wanted=stands and v is draft.roles.holder)


def _clocks(v: VersionDraft, *, wanted: bool) -> None:
    rollout = v.rollout
    if rollout is None:
        return
    if wanted and rollout.paused_since is None:
        v.set_rollout(paused_since=v.now)
    elif not wanted and rollout.paused_since is not None:
        since, began = rollout.paused_since, rollout.step_started_at
        # a step that began during the pause was paused only from then on
        step = (v.now - max(since, began)).total_seconds() if began is not None else 0.0
        v.set_rollout(
            paused_since=None,
            paused_seconds=rollout.paused_seconds + (v.now - since).total_seconds(),
            step_paused_seconds=rollout.step_paused_seconds + step,
        )
