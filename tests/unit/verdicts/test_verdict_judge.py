"""``judge``: what the counts of a rollout amount to, case by case."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_ticks import a_tick, arm, run_of

from slipway_verdicts.judge import (
    MetricJudgement,
    Verdict,
    judge,
    judge_error,
    judge_first_version,
)
from slipway_verdicts.judgement import worst
from slipway_verdicts.plan import AnalysisPlan, Bound, MetricRule, Mode, ThresholdPlan
from slipway_verdicts.scalar import judge_scalar

WEIGHTS = (10, 25, 50)
PLAN = AnalysisPlan(weights=WEIGHTS)
GOOD = {"candidate": (10, 0), "stable": (90, 0)}
BAD = {"candidate": (10, 2), "stable": (90, 0)}


def metric(judgement, name="error"):
    return next(each for each in judgement.metrics if each.metric == name)


def test_zero_samples_never_pass():
    judgement = judge([], plan=PLAN, step=0)
    assert judgement.verdict is Verdict.NO_DATA
    assert judgement.requests_needed > 0
    assert "no requests" in judgement.message


def test_ticks_of_zeros_are_no_data_too():
    judgement = judge(run_of(100), plan=PLAN, step=0)
    assert (judgement.verdict, judgement.metrics) == (Verdict.NO_DATA, ())


def test_only_stable_requests_are_no_data_however_bad_stable_is():
    judgement = judge(run_of(100, stable=(90, 30)), plan=PLAN, step=0)
    assert judgement.verdict is Verdict.NO_DATA
    assert metric(judgement).verdict is Verdict.NO_DATA


def test_a_single_bad_request_holds():
    judgement = judge([a_tick(candidate=(1, 1), stable=(9, 0))], plan=PLAN, step=0)
    assert judgement.verdict is Verdict.CONTINUE
    assert judgement.requests_needed > 0


def test_good_traffic_passes_and_says_on_what():
    judgement = judge(run_of(30, **GOOD), plan=PLAN, step=0)
    assert (judgement.verdict, judgement.requests_needed) == (Verdict.PASS, 0)
    assert judgement.message == "Passed step 1 (10 %): 1 metric good enough on 300 requests."


def test_requests_needed_is_exact():
    ticks = run_of(2, step=2, **GOOD)
    needed = judge(ticks, plan=PLAN, step=2).requests_needed
    assert needed > 1

    def after(more):
        return judge([*ticks, a_tick(2, step=2, candidate=(more, 0))], plan=PLAN, step=2)

    assert after(needed).verdict is Verdict.PASS
    assert (after(needed - 1).verdict, after(needed - 1).requests_needed) == (Verdict.CONTINUE, 1)


def test_requests_needed_is_none_when_no_number_would_do():
    hopeless = AnalysisPlan(
        weights=WEIGHTS, rules=(MetricRule(metric="error", floor=0.01, pass_bound=0.0),)
    )
    assert judge([a_tick(candidate=(10, 9))], plan=hopeless, step=0).requests_needed is None


def test_later_steps_must_be_surer():
    ticks = {step: run_of(8, step=step, **GOOD) for step in range(3)}
    verdicts = [judge(ticks[step], plan=PLAN, step=step).verdict for step in range(3)]
    assert verdicts == [Verdict.PASS, Verdict.CONTINUE, Verdict.CONTINUE]


def test_samples_from_before_the_step_do_not_count_for_pass():
    past = run_of(500, step=0, **GOOD)
    assert judge(past, plan=PLAN, step=1).verdict is Verdict.NO_DATA
    assert judge([*past, a_tick(500, step=1, **GOOD)], plan=PLAN, step=1).verdict is (
        Verdict.CONTINUE
    )


def test_a_worse_candidate_fails_with_its_evidence():
    judgement = judge(run_of(12, **BAD), plan=PLAN, step=0)
    assert (judgement.verdict, judgement.guard) == (Verdict.FAIL, False)
    assert judgement.requests_needed is None
    error = metric(judgement)
    assert error.fail_log_e >= error.fail_threshold == pytest.approx(math.log(8 / 0.01))
    assert "worse than stable" in judgement.message
    assert "24 bad of 120" in judgement.message


def test_fail_is_latched_over_the_whole_rollout():
    ticks = [*run_of(12, **BAD), *run_of(1000, start=12, step=1, **GOOD)]
    assert judge(ticks, plan=PLAN, step=1).verdict is Verdict.FAIL


def test_fail_looks_at_units_not_at_requests():
    """One unit that fails a thousand times is one bad event."""
    storm = a_tick(
        candidate=arm(2000, 900, risk_n=1001, risk_bad=1), stable=arm(9000, 5, risk_n=9000)
    )
    assert judge([storm], plan=PLAN, step=0).verdict is Verdict.CONTINUE


def test_worse_than_stable_alone_does_not_fail_below_the_floor():
    ticks = run_of(400, candidate=(100, 1), stable=(900, 0))
    assert judge(ticks, plan=PLAN, step=0).verdict is not Verdict.FAIL


@pytest.mark.parametrize("rate", [0.4, 1.0])
def test_an_outage_of_both_arms_fails_nothing(rate):
    out = run_of(12, start=12, candidate=(10, int(10 * rate)), stable=(90, int(90 * rate)))
    ticks = [*run_of(12, **GOOD), *out, *run_of(60, start=24, **GOOD)]
    judgement = judge(ticks, plan=PLAN, step=0)
    assert judgement.verdict is not Verdict.FAIL
    assert metric(judgement).fail_log_e < 0.5


def test_stable_broken_and_candidate_healthy_passes():
    """Fix-forward: the ratio alone is enough."""
    ticks = run_of(60, candidate=(10, 0), stable=(90, 40))
    assert judge(ticks, plan=PLAN, step=0).verdict is Verdict.PASS


def test_the_guard_fails_few_units():
    arms = {"candidate": arm(2, 1, risk_n=0, risk_bad=0), "stable": (18, 0)}
    judgement = judge(run_of(12, **arms), plan=PLAN, step=0)
    assert (judgement.verdict, judgement.guard) == (Verdict.FAIL, True)
    assert "guard tripped" in judgement.message


def test_a_metric_without_eligible_requests_is_left_out():
    ticks = run_of(30, **GOOD) + run_of(30, metric="truncated")
    judgement = judge(ticks, plan=PLAN, step=0)
    assert judgement.verdict is Verdict.PASS
    assert [each.metric for each in judgement.metrics] == ["error"]


def test_a_metric_that_had_requests_is_waited_for():
    ticks = run_of(300, **GOOD) + run_of(300, metric="slow_start", stable=(90, 0))
    assert judge(ticks, plan=PLAN, step=0).verdict is Verdict.NO_DATA


def test_every_applicable_metric_must_pass():
    ticks = run_of(30, **GOOD) + run_of(1, metric="slow_start", candidate=(10, 1), stable=(9, 0))
    judgement = judge(ticks, plan=PLAN, step=0)
    assert judgement.verdict is Verdict.CONTINUE
    assert metric(judgement).verdict is Verdict.PASS
    assert judgement.message.startswith("Holding at step 1 (10 %): slow_start: undecided")


def test_thumbs_down_can_only_fail():
    alone = run_of(300, metric="thumbs_down", **GOOD)
    judgement = judge(alone, plan=PLAN, step=0)
    assert judgement.verdict is Verdict.NO_DATA
    assert metric(judgement, "thumbs_down").pass_log_e is None
    few = run_of(30, **GOOD) + run_of(1, metric="thumbs_down", candidate=(1, 1), stable=(1, 0))
    assert judge(few, plan=PLAN, step=0).verdict is Verdict.PASS
    hated = run_of(30, **GOOD) + run_of(30, metric="thumbs_down", **BAD)
    assert judge(hated, plan=PLAN, step=0).verdict is Verdict.FAIL


def test_a_candidate_that_slows_both_arms_blocks_the_rise():
    slow = {"candidate": (10, 6), "stable": (90, 54)}
    ticks = run_of(120, **GOOD) + run_of(120, metric="slow_start", **slow)
    before = {"slow_start": arm(50_000, 2_500)}
    judgement = judge(ticks, plan=PLAN, step=0, stable_before=before)
    assert judgement.verdict is Verdict.CONTINUE
    assert "stable arm is worse than before" in judgement.message
    assert judge(ticks, plan=PLAN, step=0).verdict is Verdict.PASS


def test_stable_is_compared_with_the_earlier_steps_where_nothing_is_given():
    calm = run_of(200, candidate=(10, 0), stable=(90, 4))
    slow = run_of(200, start=200, step=1, candidate=(25, 10), stable=(75, 30))
    judgement = judge(calm + slow, plan=PLAN, step=1)
    assert "stable arm is worse than before" in judgement.message


def test_a_stable_arm_that_recovered_blocks_no_longer():
    """The outage also costs evidence; the ratio alone passes the step."""
    out = run_of(12, candidate=(10, 4), stable=(90, 36))
    quiet = run_of(60, start=12, **GOOD)
    before = {"error": arm(50_000, 250)}
    blocked = judge(out + quiet[:30], plan=PLAN, step=0, stable_before=before)
    assert blocked.verdict is Verdict.CONTINUE
    assert judge(out + quiet, plan=PLAN, step=0, stable_before=before).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "broken",
    [
        arm(math.nan, 0),
        arm(10, math.nan),
        arm(math.inf, 0),
        arm(-1, 0),
        arm(10, -2),
        arm(10, 11),
        arm(10, 2, risk_n=1, risk_bad=2),
        arm(10, "many"),
        arm(10, object()),
    ],
    ids=[
        "nan n",
        "nan bad",
        "inf",
        "negative n",
        "negative bad",
        "bad > n",
        "risk",
        "text",
        "object",
    ],
)
@pytest.mark.parametrize("side", ["candidate", "stable"])
def test_impossible_counts_are_error(broken, side):
    ticks = [*run_of(30, **GOOD), a_tick(30, **{**GOOD, side: broken})]
    judgement = judge(ticks, plan=PLAN, step=0)
    assert (judgement.verdict, judgement.metrics) == (Verdict.ERROR, ())
    assert judgement.message.startswith("Holding, counts cannot be judged")
    assert judge_first_version(ticks, plan=PLAN).verdict is Verdict.ERROR


def test_an_unknown_metric_is_error_and_a_known_one_without_a_rule_is_ignored():
    ticks = run_of(30, **GOOD)
    stray = run_of(30, metric="sparkle", **BAD)
    judgement = judge(ticks + stray, plan=PLAN, step=0)
    assert judgement.verdict is Verdict.ERROR
    assert "'sparkle'" in judgement.message
    only_error = AnalysisPlan(weights=WEIGHTS, rules=PLAN.rules[:1])
    refused = run_of(30, metric="refused", **BAD)
    assert judge(ticks + refused, plan=only_error, step=0).verdict is Verdict.PASS
    own = AnalysisPlan(
        weights=WEIGHTS, rules=(MetricRule(metric="sparkle", floor=0.1, pass_bound=0.2),)
    )
    assert judge(stray, plan=own, step=0).verdict is not Verdict.ERROR


def test_error_outweighs_nothing_that_failed_and_is_said():
    assert judge_error("the log cannot be read").verdict is Verdict.ERROR
    order = [Verdict.PASS, Verdict.CONTINUE, Verdict.NO_DATA, Verdict.ERROR, Verdict.FAIL]
    for low, high in itertools.combinations(order, 2):
        assert worst([low, high]) is worst([high, low]) is high
    assert worst([]) is Verdict.NO_DATA


@pytest.mark.parametrize("step", [-1, 3])
def test_outside_the_ladder_it_can_fail_and_never_pass(step):
    watch = judge(run_of(300, step=step, **GOOD), plan=PLAN, step=step)
    assert (watch.verdict, watch.requests_needed) == (Verdict.CONTINUE, None)
    assert judge(run_of(12, step=step, **BAD), plan=PLAN, step=step).verdict is Verdict.FAIL
    assert judge([], plan=PLAN, step=step).verdict is Verdict.NO_DATA


def test_order_of_ticks_does_not_matter():
    rng = random.Random(3)
    ticks = [
        a_tick(i, metric=name, step=i // 40, candidate=(10, rng.randrange(2)), stable=(90, 1))
        for i in range(80)
        for name in ("error", "refused")
    ]
    shuffled = rng.sample(ticks, len(ticks))
    assert judge(shuffled, plan=PLAN, step=1) == judge(ticks, plan=PLAN, step=1)


@given(
    ticks=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 90), st.integers(0, 90)),
        max_size=40,
    )
)
def test_any_counts_give_a_verdict_and_fail_never_goes_away(ticks):
    rows = [
        a_tick(i, step=i // 20, candidate=(max(a, b), min(a, b)), stable=(max(c, d), min(c, d)))
        for i, (a, b, c, d) in enumerate(ticks)
    ]
    failed = False
    for end in range(0, len(rows) + 1, 5):
        seen = rows[:end]
        verdict = judge(seen, plan=PLAN, step=max(0, (end - 1) // 20)).verdict
        assert verdict is Verdict.FAIL or not failed
        assert verdict is not Verdict.PASS or sum(t.candidate.n for t in seen) > 0
        failed = verdict is Verdict.FAIL


class TestFirstVersion:
    def test_is_watched_in_absolute_terms(self):
        ticks = run_of(60, candidate=(10, 0))
        judgement = judge_first_version(ticks, plan=PLAN)
        assert judgement.verdict is Verdict.CONTINUE
        assert judgement.message == "Healthy: no metric of 1 is above its floor."

    def test_degraded_says_that_there_is_nothing_better(self):
        judgement = judge_first_version(run_of(60, candidate=(10, 3)), plan=PLAN)
        assert (judgement.verdict, judgement.guard) == (Verdict.FAIL, False)
        assert "nothing better" in judgement.message

    def test_no_requests_is_no_data(self):
        judgement = judge_first_version([], plan=PLAN)
        assert (judgement.verdict, judgement.message) == (Verdict.NO_DATA, "No requests yet.")


class TestGauges:
    PASSING = run_of(30, **GOOD)

    def test_a_gauge_never_passes_a_step_alone(self):
        gauge = judge_scalar("gpu", [0.5], maximum=0.9)
        assert gauge.verdict is Verdict.PASS
        assert judge([], plan=PLAN, step=0, gauges=[gauge]).verdict is Verdict.NO_DATA
        assert judge(self.PASSING, plan=PLAN, step=0, gauges=[gauge]).verdict is Verdict.PASS

    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            ([0.95], Verdict.FAIL),
            ([], Verdict.NO_DATA),
            ([math.nan], Verdict.NO_DATA),
            ([math.inf], Verdict.ERROR),
            ([1.0, 2.0], Verdict.ERROR),
        ],
    )
    def test_a_gauge_holds_or_fails(self, values, verdict):
        gauge = judge_scalar("gpu", values, maximum=0.9)
        judgement = judge(self.PASSING, plan=PLAN, step=0, gauges=[gauge])
        assert (judgement.verdict, judgement.message) == (verdict, gauge.message)
        assert isinstance(judgement.metrics[-1], MetricJudgement)


class TestThresholdMode:
    PLAN = AnalysisPlan(
        mode=Mode.THRESHOLD,
        weights=WEIGHTS,
        threshold=ThresholdPlan(bounds=(Bound(metric="error", max=0.01),)),
    )

    def judged(self, ticks, step=0):
        return judge(ticks, plan=self.PLAN, step=step)

    def test_passes_on_a_good_closed_interval(self):
        judgement = self.judged(run_of(12, **GOOD))
        assert judgement.verdict is Verdict.PASS
        assert "0.00% bad, at most 1.00%" in judgement.message

    def test_an_open_interval_decides_nothing(self):
        judgement = self.judged(run_of(11, **GOOD))
        assert (judgement.verdict, judgement.requests_needed) == (Verdict.NO_DATA, 20)

    def test_fewer_than_min_requests_decide_nothing(self):
        judgement = self.judged(run_of(12, candidate=(1, 1), stable=(9, 2)))
        assert (judgement.verdict, judgement.requests_needed) == (Verdict.NO_DATA, 8)

    def test_fails_at_the_failure_limit_and_stays_failed(self):
        bad = run_of(36, candidate=(10, 2), stable=(90, 18))
        assert self.judged(bad[:24]).verdict is Verdict.CONTINUE
        assert self.judged(bad).verdict is Verdict.FAIL
        later = run_of(36, start=36, step=1, **GOOD)
        assert self.judged(bad + later, step=1).verdict is Verdict.FAIL

    def test_failures_of_two_steps_do_not_add_up(self):
        bad = run_of(24, candidate=(10, 2), stable=(90, 18))
        later = run_of(24, start=24, step=1, candidate=(10, 2), stable=(90, 18))
        assert self.judged(bad + later, step=1).verdict is Verdict.CONTINUE

    def test_the_guard_acts_here_too(self):
        judgement = self.judged(run_of(3, candidate=(10, 9), stable=(90, 0)))
        assert (judgement.verdict, judgement.guard) == (Verdict.FAIL, True)
        assert [each.metric for each in judgement.metrics] == ["error"]

    def test_the_guard_looks_at_metrics_without_a_bound_too(self):
        empty = run_of(3, metric="empty", candidate=(10, 9), stable=(90, 0))
        judgement = self.judged(run_of(12, **GOOD) + empty)
        assert (judgement.verdict, judgement.guard) == (Verdict.FAIL, True)
        assert judgement.message.startswith("empty: the guard tripped")

    def test_no_data_no_pass(self):
        assert self.judged([]).verdict is Verdict.NO_DATA
        assert self.judged(run_of(12, **GOOD), step=1).verdict is Verdict.NO_DATA

    def test_never_passes_outside_the_ladder(self):
        assert self.judged(run_of(12, step=3, **GOOD), step=3).verdict is Verdict.CONTINUE
