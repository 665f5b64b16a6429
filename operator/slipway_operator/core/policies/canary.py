"""The canary's climb: begin a rung when the gateways apply it, pass it, go on to the next.

A rung passes when its evidence says so *and* its time is over; that stays true while an approval,
replicas or gateways are waited for. A bad verdict has been acted on before this runs.
"""

from __future__ import annotations

from functools import partial

from slipway_contracts.conditions import ConditionType, Reason
from slipway_contracts.rollout import Step
from slipway_operator.core.draft import FALSE, Draft, VersionDraft
from slipway_operator.core.effective import rollout_digest
from slipway_operator.core.evidence import read_evidence
from slipway_operator.core.policies.promote import (
    await_approval,
    granted,
    promote,
)
from slipway_operator.core.policies.rise import Obstacle, rise
from slipway_operator.core.rungs import (
    PASSED,
    begin,
    enter,
    lasted,
    note,
    passed,
    plan_of,
    rung_at,
    step_elapsed,
)
from slipway_operator.core.traffic import canary_weight, settled, shadowing
from slipway_verdicts.judge import Verdict


def canary(draft: Draft) -> None:
    """One step of the climb."""
    v = draft.roles.candidate
    if v is None or not v.live or v.rollout is None or v.promoted:
        return
    draft.wake_in(1)
    if draft.roles.stable is None:
        _alone(draft, v)
        return
    if shadowing(v):
        return
    if _edited(draft, v):
        return
    if draft.pinned is v:
        _rise_to_top(draft, v, reason=Reason.PROMOTED_BY_REQUEST, message="pinned by the Model")
        return
    if v.rollout.step < 0 or v.specs is None or v.specs.rollout.strategy == "Direct":
        _next(draft, v)
        return
    if v.rollout.step_started_at is None:
        if settled(draft) and v.ready:
            begin(draft, v, weight=canary_weight(v))
        return
    if not passed(v):
        _judge(draft, v)
    if passed(v):
        _next(draft, v)


def _alone(draft: Draft, v: VersionDraft) -> None:
    """Stable was taken away meanwhile: nothing is left to compare with, nor to serve instead."""
    if v.ready:
        v.set_rollout(first=True)
        promote(draft, v, reason=Reason.FIRST_VERSION, message="nothing else serves any more")


def _edited(draft: Draft, v: VersionDraft) -> bool:
    """The steps or the analysis were edited: the current step begins anew on the new plan."""
    rollout = v.rollout
    assert rollout is not None and v.specs is not None
    digest = rollout_digest(v.specs.rollout)
    if digest == rollout.spec_digest:
        return False
    weight, plan = canary_weight(v), plan_of(draft, v.specs.rollout)
    v.set_rollout(spec_digest=digest)
    if not plan:
        return False  # Direct: it stands where it stands until it is promoted
    if rollout.step < 0:
        v.set_rollout(plan=plan)
    else:
        rung_at(v, weight, plan=plan)
    return True


def _judge(draft: Draft, v: VersionDraft) -> None:
    reading = read_evidence(draft, v)
    if v.paused or reading.verdict is not Verdict.PASS:
        return
    step = _step(v, v.rollout.step if v.rollout is not None else 0)
    if lasted(step_elapsed(v), step.min_duration):
        note(v, verdict=PASSED, requests=reading.requests, bad=reading.bad)


def _step(v: VersionDraft, index: int) -> Step:
    """The step's own rules; Auto's rungs have the defaults."""
    assert v.specs is not None and v.rollout is not None
    weight = v.rollout.plan[index]
    own = (step for step in v.specs.rollout.steps if step.weight == weight)
    return next(own, Step(weight=weight))


def _next(draft: Draft, v: VersionDraft) -> None:
    """The next rung, or promotion after the last one."""
    rollout = v.rollout
    assert rollout is not None and v.specs is not None
    following = rollout.step + 1
    direct = v.specs.rollout.strategy == "Direct"
    if direct or following >= len(rollout.plan):
        if not v.specs.rollout.auto_promote and not granted(draft, v):
            await_approval(v, "promotion")
            return
        _rise_to_top(
            draft,
            v,
            reason=Reason.PROMOTED,
            message="promoted without a canary, as asked" if direct else "every step passed",
        )
        return
    weight = rollout.plan[following]
    if _step(v, following).approval and not granted(draft, v):
        await_approval(v, f"the step to {weight} %")
        return
    message = f"step {following + 1} of {len(rollout.plan)}: {weight} %"

    def change() -> None:
        enter(draft, v, following)
        v.condition(ConditionType.PROMOTED, FALSE, reason=Reason.IN_PROGRESS, message=message)

    _held(v, rise(draft, v, weight=weight, change=change))


def _rise_to_top(draft: Draft, v: VersionDraft, *, reason: Reason, message: str) -> None:
    change = partial(promote, draft, v, reason=reason, message=message)
    _held(v, rise(draft, v, weight=100, change=change))


def _held(v: VersionDraft, obstacle: Obstacle | None) -> None:
    if obstacle is not None:
        reason, message = obstacle
        v.condition(ConditionType.PROMOTED, FALSE, reason=reason, message=f"held: {message}")
