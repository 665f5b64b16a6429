"""A ready candidate's rollout begins: straight to the top, or at weight 0 before the first rung.

Straight: the first version (nothing to compare with), ``Recreate`` (stable has already made room),
a pin (a person said so), and ``strategy: Direct``.
"""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Reason
from slipway_operator.core.draft import FALSE, Draft, VersionDraft
from slipway_operator.core.policies.probe import probed
from slipway_operator.core.policies.promote import (
    await_approval,
    granted,
    promote,
    supersede,
)
from slipway_operator.core.policies.rise import rise
from slipway_operator.core.rungs import begin_rollout
from slipway_operator.core.traffic import yielding


def begin(draft: Draft) -> None:
    """Once per attempt, when backend and probe say yes."""
    v = draft.roles.candidate
    if v is None or not v.live or v.rollout is not None or not v.ready or not probed(v):
        return
    if v.spec.desired_state == "Paused" or v.specs is None:
        return
    stable = draft.roles.stable
    if stable is None:
        begin_rollout(draft, v)
        promote(draft, v, reason=Reason.FIRST_VERSION, message="nothing served before it")
    elif yielding(draft) is stable:
        _recreated(draft, v, stable)
    elif draft.pinned is v:
        _directly(draft, v, reason=Reason.PROMOTED_BY_REQUEST, watch=False)
    elif v.specs.rollout.strategy == "Direct":
        _direct_strategy(draft, v)
    else:
        begin_rollout(draft, v)


def _recreated(draft: Draft, v: VersionDraft, stable: VersionDraft) -> None:
    begin_rollout(draft, v)
    # nothing is left to compare with or to go back to: it is watched like a first version
    v.set_rollout(first=True)
    promote(draft, v, reason=Reason.PROMOTED, message=f"took the room of {stable.name}")
    supersede(stable, v)


def _direct_strategy(draft: Draft, v: VersionDraft) -> None:
    assert v.specs is not None
    if not v.specs.rollout.auto_promote and not granted(draft, v):
        await_approval(v, "promotion")
        return
    _directly(draft, v, reason=Reason.PROMOTED, watch=True)


def _directly(draft: Draft, v: VersionDraft, *, reason: Reason, watch: bool) -> None:
    stable = draft.roles.stable

    def change() -> None:
        begin_rollout(draft, v)
        v.set_rollout(plan=())
        promote(draft, v, reason=reason, message="promoted without a canary, as asked")
        if not watch:
            supersede(stable, v)

    obstacle = rise(draft, v, weight=100, change=change)
    if obstacle is not None:
        v.condition(ConditionType.PROMOTED, FALSE, reason=obstacle[0], message=obstacle[1])
