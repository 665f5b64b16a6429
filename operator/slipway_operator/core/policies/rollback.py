"""What ends a rollout badly: the guard, Fail, the spent error budget, no decision in time.

Only decides; ``traffic`` then gives no weight and ``drain`` takes the backend away in order. Runs
before anything that could raise a weight.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_operator.core.draft import FALSE, TRUE, UNKNOWN, Draft, VersionDraft
from slipway_operator.core.evidence import Reading, read_evidence
from slipway_operator.core.policies.promote import promote
from slipway_operator.core.policies.rise import rise
from slipway_operator.core.rungs import note, passed, rollout_elapsed
from slipway_verdicts.judge import Verdict

# neither healthy nor unhealthy: Error, NoData, Continue
_HEALTHY = {Verdict.FAIL: FALSE, Verdict.PASS: TRUE}


def rollback(draft: Draft) -> None:
    """Judge the candidate that takes, or is about to take, traffic."""
    v = draft.roles.candidate
    if v is None or not v.live or v.rollout is None:
        return
    reading = read_evidence(draft, v)
    say(v, reading)
    if reading.verdict is Verdict.FAIL:
        v.leave(Phase.ROLLED_BACK, reading.reason, message=reading.message)
        return
    if v.paused:
        return
    if reading.verdict is Verdict.ERROR:
        _spend(v, reading)
    _limits(draft, v, reading)


def say(v: VersionDraft, reading: Reading) -> None:
    """The verdict in the status: a condition, the rollout's verdict, the step's summary."""
    status = _HEALTHY.get(reading.verdict, UNKNOWN)
    v.condition(
        ConditionType.ANALYSIS_HEALTHY, status, reason=reading.reason, message=reading.message
    )
    v.set_rollout(verdict=reading.verdict.value, message=reading.message)
    if reading.requests:
        note(v, requests=reading.requests, bad=reading.bad)


def _spend(v: VersionDraft, reading: Reading) -> None:
    """One error a tick, however often this is called."""
    rollout = v.rollout
    assert rollout is not None
    if reading.error_tick > rollout.last_error_tick:
        v.set_rollout(errors_spent=rollout.errors_spent + 1, last_error_tick=reading.error_tick)


def _limits(draft: Draft, v: VersionDraft, reading: Reading) -> None:
    rollout = v.rollout
    assert rollout is not None and v.specs is not None
    analysis = v.specs.rollout.analysis
    if rollout.errors_spent > analysis.error_budget:
        said = f"the evidence could not be read in {rollout.errors_spent} ticks: {reading.message}"
        _undecided(draft, v, reason=Reason.ERROR_BUDGET_SPENT, message=said)
        return
    left = v.specs.rollout.max_duration - rollout_elapsed(v)
    if left >= timedelta(0) or passed(v):
        draft.wake_in(max(1.0, left.total_seconds()))
        return
    needed = f"about {reading.needed} more" if reading.needed is not None else "more"
    _undecided(
        draft,
        v,
        reason=Reason.UNDECIDED,
        message=f"undecided at rollout.maxDuration: {needed} requests were needed; raise "
        "maxDuration, or send more traffic",
    )


def _undecided(draft: Draft, v: VersionDraft, *, reason: Reason, message: str) -> None:
    assert v.specs is not None
    match v.specs.rollout.analysis.on_undecided:
        case "Abort":
            v.leave(Phase.ROLLED_BACK, reason, message=message)
        case "Promote":
            change = partial(promote, draft, v, reason=reason, message=message)
            rise(draft, v, weight=100, change=change)
        case _:  # Hold
            v.condition(ConditionType.PROMOTED, FALSE, reason=reason, message=f"held: {message}")
