"""After the promotion: the new version is judged on, beside the 5 % that the old one keeps.

Fail sends everything back to the old one. Where there is none (a first version), Fail marks it
Degraded and it serves on, since there is nothing better.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.evidence import Reading, read_evidence
from slipway_operator.core.policies.deploy import waited_too_long
from slipway_operator.core.policies.promote import supersede
from slipway_operator.core.policies.rollback import say
from slipway_operator.core.rungs import begin, close, lasted, step_elapsed
from slipway_operator.core.snapshot import BackendState
from slipway_operator.core.traffic import PREVIOUS_WEIGHT, settled
from slipway_verdicts.judge import Verdict


def watch(draft: Draft) -> None:
    """Judge the promoted version that still holds the slot."""
    v = draft.roles.stable
    if v is None or not v.holds_slot or v.rollout is None or v.specs is None:
        return
    draft.wake_in(1)
    previous = draft.roles.previous
    if previous is not None and not previous.live:
        return
    if previous is None and not v.rollout.first:
        _finish(v, free=True)
        return
    if v.rollout.step_started_at is None:
        if settled(draft):
            begin(draft, v, weight=100 - PREVIOUS_WEIGHT if previous is not None else 100)
        if v.specs.rollout.post_promotion_watch > timedelta(0):
            return
    if previous is not None and previous.ready and _lost(draft, v):
        return
    reading = read_evidence(draft, v)
    say(v, reading)
    if reading.verdict is Verdict.FAIL:
        _failed(v, previous, reading)
    elif _over(v):
        supersede(previous, v)
        _finish(v, free=previous is None)


def _lost(draft: Draft, v: VersionDraft) -> bool:
    """It broke, or did not come back in time: the old one has everything again."""
    broken = v.seen is not None and v.seen.state is BackendState.FAILED
    if v.ready:
        v.set(capacity_wait_since=None)
    elif broken or waited_too_long(draft, v):
        reason = v.seen.reason if v.seen is not None else None
        said = v.seen.message if v.seen is not None else ""
        v.leave(
            Phase.ROLLED_BACK,
            reason or Reason.BACKEND_LOST,
            message=said or "the backend does not answer; read its log",
        )
    return not v.ready


def _over(v: VersionDraft) -> bool:
    assert v.specs is not None
    wanted = v.specs.rollout.post_promotion_watch
    return not v.paused and (not wanted or lasted(step_elapsed(v), wanted))


def _failed(v: VersionDraft, previous: VersionDraft | None, reading: Reading) -> None:
    if previous is not None and previous.ready:
        v.leave(Phase.ROLLED_BACK, reading.reason, message=reading.message)
        return
    message = f"{reading.message}. Nothing better is there: it serves on; apply a new version"
    v.condition(ConditionType.DEGRADED, TRUE, reason=reading.reason, message=message)
    supersede(previous, v)
    _finish(v, free=previous is None)


def _finish(v: VersionDraft, *, free: bool) -> None:
    """The watch is over; the slot is free when the old one is drained too."""
    close(v)
    if free:
        v.set(slot_taken_at=None)
    if not v.is_true(ConditionType.DEGRADED):
        v.condition(ConditionType.DEGRADED, FALSE, reason=Reason.HEALTHY)


def watch_until(v: VersionDraft | None) -> datetime | None:
    """When the watch ends, as far as that can be told now; None when none is on."""
    if v is None or v.rollout is None or v.specs is None or not v.holds_slot or not v.live:
        return None
    rollout = v.rollout
    began = rollout.step_started_at or rollout.promoted_at
    assert began is not None
    waited = timedelta(seconds=rollout.step_paused_seconds)
    return began + v.specs.rollout.post_promotion_watch + waited
