"""The simulation's incremental judge is ``judge``: equal at every tick of every rollout."""

from __future__ import annotations

import numpy as np
import pytest
from verdict_ticks import arm, ticks_from

from slipway_verdicts.judge import Verdict, judge
from slipway_verdicts.plan import AnalysisPlan, Bound, Mode, ThresholdPlan, default_rules
from slipway_verdicts.policies import SequentialPolicy, ThresholdPolicy
from slipway_verdicts.running import RunningJudge
from slipway_verdicts.traffic import ClientModel, Load, Outage, make_traffic

NAMES = ("error", "slow_start", "thumbs_down")
RULES = tuple(rule for rule in default_rules() if rule.metric in NAMES)
PLAN = AnalysisPlan(rules=RULES, weights=(10, 25, 50))
STABLE = np.array([0.01, 0.08, 0.02])
ROLLOUTS = 4
TICKS = 150


def load(factor):
    return Load(
        requests_per_second=3.0,
        rates=np.stack((STABLE * factor, STABLE), axis=1),
        outages=(Outage(start=200, seconds=40, rate=0.5),),
    )


@pytest.mark.parametrize("known_before", [True, False], ids=["hour before", "earlier steps"])
@pytest.mark.parametrize(
    ("model", "factor"),
    [
        (ClientModel.INDEPENDENT, 1.0),
        (ClientModel.INDEPENDENT, 4.0),
        (ClientModel.RETRY_STORMS, 1.0),
        (ClientModel.ZIPF, 2.0),
    ],
)
def test_running_judge_equals_judge(model, factor, known_before):
    rng = np.random.default_rng(11)
    traffic = make_traffic(model, load(factor), rollouts=ROLLOUTS, rng=rng)
    hour = traffic.stable_hour(rng, ROLLOUTS)
    running = RunningJudge(PLAN, ROLLOUTS, before=hour if known_before else None)
    step = np.zeros(ROLLOUTS, dtype=np.int64)
    seen = [[] for _ in range(ROLLOUTS)]
    given = [
        {n: arm(int(hour[i, m, 0]), int(hour[i, m, 1])) for m, n in enumerate(NAMES)}
        for i in range(ROLLOUTS)
    ]
    for number in range(TICKS):
        counts = traffic.tick(rng, np.array(PLAN.weights)[step] / 100, second=5.0 * number)
        got = running.update(counts, step=step)
        for i, ticks in enumerate(seen):
            ticks += ticks_from(counts[i], number=number, step=int(step[i]), metrics=NAMES)
            whole = judge(
                ticks, plan=PLAN, step=int(step[i]), stable_before=given[i] if known_before else {}
            )
            assert got.fail[i] == (whole.verdict is Verdict.FAIL)
            assert got.guard[i] == whole.guard
            assert got.passed[i] == (whole.verdict is Verdict.PASS)
            for metric in whole.metrics:
                mine = got.fail_log_e[i, NAMES.index(metric.metric)]
                assert mine == pytest.approx(metric.fail_log_e, abs=1e-9)
        enters = got.passed & (step < 2) & (number % 7 == 0)
        step = step + enters
        traffic.enter_step(enters)


def test_forgetting_rollouts_changes_nothing_for_the_others():
    rng = np.random.default_rng(12)
    counts = make_traffic(ClientModel.INDEPENDENT, load(2.0), rollouts=ROLLOUTS, rng=rng)
    ticks = [counts.tick(rng, np.full(ROLLOUTS, 0.1), second=5.0 * i) for i in range(80)]
    kept = np.array([True, False, True, False])
    whole, part = (RunningJudge(PLAN, ROLLOUTS) for _ in range(2))
    step = np.zeros(ROLLOUTS, dtype=np.int64)
    for number, tick in enumerate(ticks):
        if number == 40:
            part.keep(kept)
        late = number >= 40
        a = whole.update(tick, step=step)
        b = part.update(tick[kept] if late else tick, step=step[kept] if late else step)
    assert (a.fail[kept] == b.fail).all()
    assert (a.passed[kept] == b.passed).all()
    assert a.fail_log_e[kept] == pytest.approx(b.fail_log_e)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_threshold_policy_is_the_threshold_mode(factor):
    plan = AnalysisPlan(
        mode=Mode.THRESHOLD,
        weights=(10, 50),
        threshold=ThresholdPlan(
            min_requests=10,
            bounds=(Bound(metric="error", max=0.03), Bound(metric="truncated", max=0.1)),
        ),
    )
    rng = np.random.default_rng(13)
    traffic = make_traffic(ClientModel.INDEPENDENT, load(factor), rollouts=1, rng=rng)
    policy = ThresholdPolicy(plan, 1, metrics=NAMES, min_step_seconds=60)
    ticks, step, in_step, moves = [], 0, 0, 0
    for number in range(400):
        counts = traffic.tick(rng, policy.weights, second=5.0 * number)
        # a step's clock runs from its first tick with any request
        counts[0, 0, 1, 0] += 1
        move = policy.tick(counts)
        in_step += 1
        ticks += ticks_from(counts[0], number=number, step=step, metrics=NAMES)
        verdict = judge(ticks, plan=plan, step=step).verdict
        assert move.aborted[0] == (verdict is Verdict.FAIL)
        advanced = move.stepped[0] or move.promoted[0]
        assert advanced == (verdict is Verdict.PASS and in_step >= 12)
        if move.stepped[0]:
            step, in_step, moves = step + 1, 0, moves + 1
        if move.promoted[0] or move.aborted[0]:
            break
    assert move.promoted[0] if factor == 1.0 else move.aborted[0]


def test_a_finished_rollout_that_is_not_forgotten_stays_at_the_top():
    policy = SequentialPolicy(PLAN, 1, min_step_seconds=0)
    counts = np.zeros((1, 3, 2, 4))
    counts[..., 0] = counts[..., 2] = 5000
    promoted = [bool(policy.tick(counts).promoted[0]) for _ in range(5)]
    assert promoted == [False, False, True, True, True]
    assert policy.weights.tolist() == [0.5]
