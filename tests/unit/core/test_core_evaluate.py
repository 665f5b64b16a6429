"""The offline evaluation, the probe of the ready candidate, and approvals between them."""

from __future__ import annotations

import pytest
from builders import a_model, a_model_version, a_run, a_snapshot, backend_of
from decided import decided

from slipway_contracts.conditions import Phase
from slipway_contracts.evaluation import EvaluationReport, Figure, SuiteResult
from slipway_contracts.run import RunResult
from slipway_operator.core.snapshot import RunObservation, RunState

HELD = {"suites": [{"name": "held", "kind": "heldout"}]}
GATED = {**HELD, "gates": [{"metric": "held.loss", "max": 2, "maxRelativeIncrease": 0.1}]}
PROBED = {
    "suites": [{"name": "answers", "kind": "endpoint"}],
    "gates": [{"metric": "answers.success", "min": 1.0}],
}
BOTH = {"suites": [*HELD["suites"], *PROBED["suites"]], "gates": PROBED["gates"]}


def a_report(suite="held", metric="loss", value=1.0, baseline=None, samples=64) -> RunResult:
    def figures(number):
        return {metric: Figure(value=number, samples=samples)}

    return RunResult(
        report=EvaluationReport(
            version="v2",
            suites=(
                SuiteResult(
                    suite=suite,
                    kind="heldout" if suite == "held" else "endpoint",
                    candidate=figures(value),
                    baseline=figures(baseline) if baseline is not None else {},
                ),
            ),
        )
    )


def candidate(**evaluation):
    return a_model_version("v2").with_artifact().evaluation(**evaluation)


def stable():
    return a_model_version("v1").serving_since()


def evaluated(version, *others, result=None, state="succeeded", model=None, **changes):
    """The pass in which the evaluation run of ``version`` is seen as ended."""
    snapshot = a_snapshot(model or a_model(), *others, version)
    (run,) = decided(snapshot).decision.runs
    seen = RunObservation(
        name=run.name,
        state=RunState(state),
        result=result,
        **changes,
    )
    return run, decided(a_snapshot(model or a_model(), *others, version, runs=(seen,)))


def test_without_suites_the_evaluation_is_skipped_and_said_so():
    result = decided(a_snapshot(a_model(), stable(), candidate()))
    assert result.said("EvaluationPassed") == "True/EvaluationSkipped"
    assert result.decision.runs == ()
    assert result.phase() == "Deploying"


def test_it_compares_with_stable_s_artifact_before_any_pod_exists():
    result = decided(a_snapshot(a_model(), stable(), candidate(**GATED)))
    (run,) = result.decision.runs
    assert (run.request.baseline_version, run.request.endpoint) == ("v1", None)
    assert run.request.baseline_artifact is not None
    assert result.said("EvaluationPassed") == "Unknown/EvaluationRunning"
    assert result.phase() == "Evaluating"
    assert result.listed == {"v1"}


@pytest.mark.parametrize(
    ("model", "others", "evaluation"),
    [
        pytest.param(a_model(), (), GATED, id="no-stable"),
        pytest.param(a_model(), (stable(),), {**GATED, "baseline": "none"}, id="not-wanted"),
    ],
)
def test_without_a_baseline_relative_gates_are_skipped_and_said_so(model, others, evaluation):
    run, result = evaluated(candidate(**evaluation), *others, result=a_report())
    assert run.request.baseline_version is None
    assert result.said("EvaluationPassed") == "True/EvaluationPassed"
    assert "skipped" in result.condition("EvaluationPassed").message
    assert result.status().evaluation.summary == "1/1"


ENDS = [
    pytest.param({"result": a_report(baseline=1.0)}, None, "True/EvaluationPassed", id="passed"),
    pytest.param(
        {"result": a_report(value=3.0)}, "Rejected/GateFailed", "False/GateFailed", id="bound"
    ),
    pytest.param(
        {"result": a_report(value=1.2, baseline=1.0)},
        "Rejected/GateFailed",
        "False/GateFailed",
        id="worse-than-stable",
    ),
    pytest.param(
        {"result": a_report(value=None, samples=0)},
        "Failed/EvaluationError",
        "False/EvaluationError",
        id="20-exit-0-with-every-request-failed",
    ),
    pytest.param(
        {"state": "failed", "exit_code": 137},
        "Failed/EvaluationError",
        "False/EvaluationError",
        id="20-out-of-memory",
    ),
    pytest.param(
        {"state": "failed", "message": "ImagePullBackOff"},
        "Failed/EvaluationError",
        "False/EvaluationError",
        id="20-pull-error",
    ),
    pytest.param(
        {"result": None}, "Failed/EvaluationError", "False/EvaluationError", id="20-no-result"
    ),
    pytest.param(
        {"result": RunResult(error="deadline")},
        "Failed/EvaluationError",
        "False/EvaluationError",
        id="20-no-report",
    ),
]


@pytest.mark.parametrize(("seen", "outcome", "condition"), ENDS)
def test_how_an_evaluation_ends(seen, outcome, condition):
    _, result = evaluated(candidate(**GATED), stable(), **seen)
    assert result.outcome() == outcome
    assert result.said("EvaluationPassed") == condition
    if outcome is not None:
        assert result.listed == {"v1"}
        assert result.phase() == outcome.split("/")[0]


def test_stable_that_changed_meanwhile_means_another_evaluation():
    waiting = candidate(**HELD)
    first, passed = evaluated(waiting, stable(), a_model_version("v3").canary(), result=a_report())
    assert passed.said("CandidateReady") == "False/AnotherRolloutActive"
    waiting = waiting.with_status(**dict(passed.status()))
    promoted = a_model_version("v3").watched()
    again = decided(
        a_snapshot(
            a_model(),
            stable(),
            promoted,
            waiting,
            runs=(RunObservation(name=first.name, state=RunState.SUCCEEDED, result=a_report()),),
        )
    )
    (run,) = again.decision.runs
    assert run.name != first.name and run.request.baseline_version == "v3"
    assert again.said("EvaluationPassed") == "Unknown/StableChanged"


def test_suites_edited_meanwhile_mean_another_evaluation():
    waiting = candidate(**HELD)
    first, passed = evaluated(waiting, stable(), a_model_version("v3").canary(), result=a_report())
    edited = waiting.with_status(**dict(passed.status())).evaluation(
        suites=[{"name": "held", "kind": "heldout", "maxSamples": 8}]
    )
    again = decided(a_snapshot(a_model(), stable(), a_model_version("v3").canary(), edited))
    (run,) = again.decision.runs
    assert run.name != first.name
    assert again.said("EvaluationPassed") == "Unknown/EvaluationRunning"


def test_once_the_slot_is_taken_the_result_stands():
    holder = candidate(**HELD).with_status(
        slot_taken_at=a_model_version().canary().status.rollout.started_at
    )
    result = decided(a_snapshot(a_model(), stable(), holder))
    assert result.decision.runs == ()
    assert result.phase() == "Deploying"


# approval before Deploying


def test_an_evaluation_may_ask_for_approval():
    waiting = candidate(approval=True)
    result = decided(a_snapshot(a_model(), stable(), waiting))
    assert result.said("CandidateReady") == "False/AwaitingApproval"
    assert result.phase() == "AwaitingApproval"
    assert result.listed == {"v1"}
    granted = decided(a_snapshot(a_model(), stable(), waiting.approved()))
    assert granted.phase() == "Deploying"
    assert granted.listed == {"v1", "v2"}


# the probe


def ready(**evaluation):
    return a_model_version("v2").with_slot().evaluation(**evaluation)


def probe_of(version, result=None, state=None, **changes):
    backends = (backend_of(stable()), backend_of(version))
    runs = ()
    if state is not None:
        runs = (a_run(version, "probe", state, result=result, **changes),)
    return decided(a_snapshot(a_model(), stable(), version, backends=backends, runs=runs))


def test_endpoint_suites_run_on_the_ready_candidate_before_any_traffic():
    result = probe_of(ready(**PROBED))
    (run,) = result.decision.runs
    assert run.name.endswith("-probe")
    assert run.request.endpoint and run.request.baseline_endpoint
    assert result.weights == {"v1": 100}
    assert result.phase() == "Deploying"


def test_the_probe_compares_with_nothing_while_stable_does_not_answer():
    version = ready(**PROBED)
    backends = (backend_of(stable(), "starting"), backend_of(version))
    (run,) = decided(a_snapshot(a_model(), stable(), version, backends=backends)).decision.runs
    assert run.request.baseline_endpoint is None and run.request.baseline_version is None


def test_what_an_evaluation_waits_for_is_said():
    run, result = evaluated(candidate(**GATED), state="running", message="no node has room")
    told = result.condition("EvaluationPassed", "v2").message
    assert told.startswith(f"run {run.name}: no node has room, compared with")


PROBES = [
    pytest.param({"state": "running"}, None, None, id="running"),
    pytest.param(
        {"state": "succeeded", "result": a_report("answers", "success", 1.0)},
        None,
        "True/EvaluationPassed",
        id="passed",
    ),
    pytest.param(
        {"state": "succeeded", "result": a_report("answers", "success", 0.5)},
        "Rejected/GateFailed",
        "False/GateFailed",
        id="gate-failed",
    ),
    pytest.param(
        {"state": "failed"}, "Failed/EvaluationError", "False/EvaluationError", id="broke"
    ),
]


@pytest.mark.parametrize(("seen", "outcome", "condition"), PROBES)
def test_how_a_probe_ends(seen, outcome, condition):
    result = probe_of(ready(**PROBED), **seen)
    assert result.outcome() == outcome
    assert result.said("EvaluationPassed") == condition
    if outcome:
        assert result.listed == {"v1"} and result.weights == {"v1": 100}
    if condition == "True/EvaluationPassed":
        assert result.status().rollout is not None


def test_the_evaluation_is_not_over_before_the_probe():
    offline = decided(a_snapshot(a_model(), stable(), candidate(**PROBED)))
    assert offline.said("EvaluationPassed") == "Unknown/EvaluationRunning"
    _, both = evaluated(candidate(**BOTH), stable(), result=a_report())
    assert both.said("EvaluationPassed") == "Unknown/EvaluationRunning"
    assert both.phase() == "Deploying"


def test_a_version_that_is_over_is_not_evaluated():
    over = candidate(**HELD).ended(Phase.FAILED, "EvaluationError")
    assert decided(a_snapshot(a_model(), stable(), over)).decision.runs == ()
