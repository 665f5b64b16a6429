"""Status → who is judged against whom, on which windows."""

import pytest
from builders import T0, a_model, a_model_version, at

from slipway_contracts.rollout import Analysis
from slipway_operator.platforms.evidence import ticks_of
from slipway_operator.subject import Watched, analysis_plan, subject_of
from slipway_store.counts import CountRow


def a_served_model(**status):
    model = a_model().build()
    return model.model_copy(update={"status": model.status.model_copy(update=status)})


@pytest.mark.parametrize(
    ("version", "status", "kind", "stable"),
    [
        pytest.param(
            a_model_version("v2").shadowing(), {"stable": "v1"}, Watched.SHADOW, "v1", id="shadow"
        ),
        pytest.param(
            a_model_version("v2").canary(), {"stable": "v1"}, Watched.CANARY, "v1", id="canary"
        ),
        pytest.param(
            a_model_version("v2").watched(),
            {"stable": "v2", "previous": "v1"},
            Watched.AFTER_PROMOTION,
            "v1",
            id="watch after promotion",
        ),
        pytest.param(
            a_model_version("v1").watched(first=True),
            {"stable": "v1"},
            Watched.FIRST_VERSION,
            None,
            id="first version",
        ),
    ],
)
def test_who_is_judged_against_whom(version, status, kind, stable):
    subject = subject_of(a_served_model(**status), (version.build(),))
    assert subject is not None
    assert (subject.kind, subject.candidate, subject.stable) == (kind, version.name, stable)
    assert subject.rollout_id == version.status.backend


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(a_model_version("v2").accepted(), id="no slot"),
        pytest.param(a_model_version("v2").with_slot(), id="no rollout yet"),
        pytest.param(a_model_version("v2").canary().leaving(), id="on its way out"),
        pytest.param(a_model_version("v1").serving_since(), id="its watch is over"),
    ],
)
def test_nobody_is_judged(version):
    assert subject_of(a_served_model(stable="v1"), (version.build(),)) is None


def test_finished_steps_come_first_and_the_current_one_is_open():
    subject = subject_of(a_served_model(stable="v1"), (a_model_version().canary(1, 90).build(),))
    assert [(w.index, w.ended_at) for w in subject.windows] == [(0, at(90)), (1, None)]
    assert subject.windows[-1].started_at == at(90)
    assert subject.step == 1


def test_an_unconfirmed_weight_has_no_window():
    version = a_model_version("v2").canary(0, None).build()
    subject = subject_of(a_served_model(stable="v1"), (version,))
    assert subject.windows == ()
    assert subject.began == T0


def test_the_plan_carries_overrides_of_the_bounds():
    analysis = Analysis.model_validate({"metrics": [{"metric": "error", "floor": 0.05}]})
    plan = analysis_plan(analysis, (10, 50))
    assert [(rule.metric, rule.floor) for rule in plan.rules] == [("error", 0.05)]
    assert plan.weights == (10, 50)


def test_no_rule_means_every_metric():
    assert len(analysis_plan(Analysis(), (20, 50)).rules) == 8


def test_cells_of_both_arms_make_one_tick_and_an_absent_arm_is_zero():
    cell = {"metric": "error", "step": 0, "n": 3, "bad": 1, "risk_n": 2, "risk_bad": 1}
    rows = [
        CountRow(arm="candidate", tick=7, **cell),
        CountRow(arm="stable", tick=7, **cell),
        CountRow(arm="stable", tick=8, **cell),
    ]
    both, alone = ticks_of(rows)
    assert (both.tick, both.candidate.n, both.stable.risk_n) == (7, 3, 2)
    assert (alone.tick, alone.candidate.n, alone.stable.bad) == (8, 0, 1)
