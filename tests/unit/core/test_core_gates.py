"""Gates: what passes, what fails, and what is broken rather than bad."""

from __future__ import annotations

import math

import pytest

from slipway_contracts.evaluation import Evaluation, EvaluationReport, Figure, SuiteResult
from slipway_operator.core.gates import judge_gates


def outcome(gate: dict, candidate: Figure | None, baseline: Figure | None = None):
    evaluation = Evaluation.model_validate(
        {
            "suites": [{"name": "held", "kind": "heldout"}],
            "gates": [{"metric": "held.loss", **gate}],
        }
    )
    figures = {"other": Figure(value=1, samples=1)}
    report = EvaluationReport(
        version="v2",
        suites=(
            SuiteResult(
                suite="held",
                kind="heldout",
                candidate=figures | ({"loss": candidate} if candidate else {}),
                baseline={"loss": baseline} if baseline else {},
            ),
        ),
    )
    return judge_gates(evaluation, report, suites=evaluation.suites)


def figure(value: float | None, samples: int = 64, failed: int = 0) -> Figure:
    return Figure(value=value, samples=samples, failed=failed)


CASES = [
    pytest.param({"max": 2}, figure(2), None, True, "", id="at-max"),
    pytest.param({"max": 2}, figure(2.1), None, False, "above max", id="above-max"),
    pytest.param({"min": 1}, figure(1), None, True, "", id="at-min"),
    pytest.param({"min": 1}, figure(0.9), None, False, "below min", id="below-min"),
    pytest.param({"max": 2}, figure(0, samples=0), None, False, "no usable", id="zero-samples"),
    pytest.param({"max": 2}, figure(None), None, False, "no usable", id="no-value"),
    pytest.param({"max": 2}, figure(math.nan), None, False, "no usable", id="1-nan"),
    pytest.param({"min": 2}, figure(math.inf), None, False, "no usable", id="2-infinite"),
    pytest.param({"max": 2}, figure(1, failed=1), None, False, "1 of 65", id="failed-requests"),
    pytest.param({"max": 2}, None, None, False, "does not measure", id="unknown-metric"),
    pytest.param(
        {"maxRelativeIncrease": 0.1}, figure(1.1), figure(1), True, "", id="increase-allowed"
    ),
    pytest.param(
        {"maxRelativeIncrease": 0.1}, figure(1.2), figure(1), False, "10% more", id="increase"
    ),
    pytest.param(
        {"maxRelativeDecrease": 0.1}, figure(0.95), figure(1), True, "", id="decrease-allowed"
    ),
    pytest.param(
        {"maxRelativeDecrease": 0.1}, figure(0.8), figure(1), False, "10% less", id="decrease"
    ),
    pytest.param(
        {"maxRelativeIncrease": 0.5}, figure(-0.6), figure(-1), True, "", id="negative-baseline"
    ),
    pytest.param(
        {"maxRelativeIncrease": 0.1}, figure(9), None, True, "skipped", id="no-baseline-skips"
    ),
    pytest.param(
        {"maxRelativeIncrease": 0.1},
        figure(9),
        figure(1, samples=0),
        True,
        "skipped",
        id="empty-baseline-skips",
    ),
    pytest.param(
        {"maxRelativeIncrease": 0.1, "max": 5},
        figure(9),
        None,
        False,
        "above max",
        id="no-baseline-but-a-bound",
    ),
]


@pytest.mark.parametrize(("gate", "candidate", "baseline", "passed", "words"), CASES)
def test_one_gate(gate, candidate, baseline, passed, words):
    result = outcome(gate, candidate, baseline)
    assert result.broken == ""
    (one,) = result.results
    assert one.passed is passed
    assert words in one.message
    assert (result.passed, len(result.failures)) == ((1, 0) if passed else (0, 1))


@pytest.mark.parametrize(
    ("suites", "words"),
    [
        pytest.param((), "missing from the report", id="suite-missing"),
        pytest.param(
            (
                SuiteResult(
                    suite="held",
                    kind="heldout",
                    candidate={"loss": Figure(value=None, samples=0, failed=64)},
                ),
            ),
            "no sample that succeeded",
            id="20-every-request-failed",
        ),
    ],
)
def test_20_a_broken_evaluation_never_passes(suites, words):
    evaluation = Evaluation.model_validate({"suites": [{"name": "held", "kind": "heldout"}]})
    report = EvaluationReport(version="v2", suites=suites)
    result = judge_gates(evaluation, report, suites=evaluation.suites)
    assert words in result.broken
