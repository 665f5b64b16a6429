"""Plans that are refused, the default bounds, and scalars against a bound."""

from __future__ import annotations

import math

import pytest

from slipway_verdicts.errors import PlanError
from slipway_verdicts.judge import Verdict
from slipway_verdicts.plan import AnalysisPlan, MetricRule, default_rules
from slipway_verdicts.scalar import judge_scalar


def test_default_bounds_are_the_designs():
    rules = {r.metric: (r.floor, r.pass_bound, r.required) for r in default_rules()}
    assert rules == {
        "error": (0.01, 0.02, True),
        "refused": (0.01, 0.02, True),
        "empty": (0.01, 0.02, True),
        "schema_invalid": (0.01, 0.02, True),
        "truncated": (0.05, 0.10, True),
        "slow_start": (0.10, 0.15, True),
        "slow_tokens": (0.10, 0.15, True),
        "thumbs_down": (0.02, None, False),
    }
    plan = AnalysisPlan()
    assert (plan.alpha, plan.ratio, plan.metric_alpha) == (0.01, 1.25, 0.01 / 8)


def test_overrides_keep_what_is_not_given():
    thumbs = default_rules()[-1]
    assert thumbs.overridden() == thumbs
    assert thumbs.overridden(floor=0.03, required=True).pass_bound == 0.06
    error = default_rules()[0].overridden(pass_bound=0.5, required=False)
    assert (error.floor, error.pass_bound, error.required) == (0.01, 0.5, False)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: MetricRule(metric="x", floor=1.5, pass_bound=0.1), "x.floor"),
        (lambda: MetricRule(metric="x", floor=0.1, pass_bound=-1), "x.pass_bound"),
        (lambda: MetricRule(metric="x", floor=math.nan, pass_bound=0.1), "x.floor"),
        (lambda: MetricRule(metric="x", floor=0.1), "x.pass_bound is missing"),
        (lambda: AnalysisPlan(alpha=0), "alpha"),
        (lambda: AnalysisPlan(ratio=0.5), "ratio"),
        (lambda: AnalysisPlan(rules=default_rules() * 2), "'error' twice"),
        (lambda: judge_scalar("gpu", [1.0]), "needs a bound"),
    ],
)
def test_a_plan_without_sense_is_refused_by_name(build, says):
    with pytest.raises(PlanError, match=says):
        build()


@pytest.mark.parametrize(
    ("values", "bounds", "verdict"),
    [
        ([], {"maximum": 1}, Verdict.NO_DATA),
        ([math.nan], {"maximum": 1}, Verdict.NO_DATA),
        ([math.inf], {"minimum": 0}, Verdict.ERROR),
        ([-math.inf], {"maximum": 1}, Verdict.ERROR),
        ([1, 2], {"maximum": 5}, Verdict.ERROR),
        (["0.5"], {"maximum": 1}, Verdict.ERROR),
        ([None], {"maximum": 1}, Verdict.ERROR),
        ([True], {"maximum": 1}, Verdict.ERROR),
        ([2], {"maximum": 1}, Verdict.FAIL),
        ([-1], {"minimum": 0}, Verdict.FAIL),
        ([1.0], {"minimum": 0, "maximum": 1}, Verdict.PASS),
    ],
)
def test_scalars(values, bounds, verdict):
    assert judge_scalar("gpu", values, **bounds).verdict is verdict


def test_several_series_are_ambiguous_by_name():
    assert "ambiguous" in judge_scalar("gpu", [1, 2], maximum=5).message
