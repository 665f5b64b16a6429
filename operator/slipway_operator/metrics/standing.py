"""Where a version stands: phase, what holds it up, its weight, its steps and clocks, its gates."""

from __future__ import annotations

from datetime import datetime

from slipway_contracts.conditions import ConditionStatus, ConditionType, find_condition
from slipway_contracts.metrics import lifecycle as names
from slipway_operator.metrics.followed import Followed, Told, seconds


def phase(v: Followed) -> Told:
    """The one that it is in."""
    yield names.VERSION_PHASE, (v.status.phase.value,), 1.0


def stalled(v: Followed) -> Told:
    """Only while it is."""
    found = find_condition(v.status.conditions, ConditionType.STALLED)
    if found is not None and found.status is ConditionStatus.TRUE:
        yield names.VERSION_STALLED, (found.reason.value,), 1.0


def weight(v: Followed) -> Told:
    """Also of a version that has long been promoted."""
    rollout = v.status.rollout
    if rollout is not None:
        yield names.ROLLOUT_WEIGHT, ("desired",), rollout.weight_desired
        yield names.ROLLOUT_WEIGHT, ("observed",), rollout.weight_observed


def steps(v: Followed, now: datetime) -> Told:
    """While a rollout goes on; its clocks end with the promotion."""
    rollout = v.rolling
    if rollout is None or rollout.started_at is None:
        return
    yield names.ROLLOUT_STEP, (), rollout.step
    yield names.ROLLOUT_STEPS, (), len(rollout.plan)
    yield names.ERROR_BUDGET, ("spent",), rollout.errors_spent
    yield names.ERROR_BUDGET, ("total",), v.rollout.analysis.error_budget
    if rollout.promoted_at is not None:
        return
    paused = find_condition(v.status.conditions, ConditionType.PAUSED)
    held = paused is not None and paused.status is ConditionStatus.TRUE
    yield names.ROLLOUT_PAUSED, (), float(held or rollout.paused_since is not None)
    yield names.ROLLOUT_MAX_SECONDS, (), v.rollout.max_duration.total_seconds()
    began = rollout.started_at
    yield names.ROLLOUT_SECONDS, (), seconds(now, began, rollout, paused=rollout.paused_seconds)
    step = rollout.step_started_at
    if step is not None:
        paused_here = rollout.step_paused_seconds
        yield names.ROLLOUT_STEP_SECONDS, (), seconds(now, step, rollout, paused=paused_here)


def gates(v: Followed) -> Told:
    """The offline evaluation's and the probe's, with what they were compared with."""
    for evaluation in (v.status.evaluation, v.status.probe):
        for gate in evaluation.gates if evaluation is not None else ():
            if gate.value is not None:
                yield names.EVALUATION_SCORE, (gate.metric, "candidate"), gate.value
            if gate.baseline is not None:
                yield names.EVALUATION_SCORE, (gate.metric, "baseline"), gate.baseline
