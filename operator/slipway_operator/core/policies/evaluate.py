"""The offline evaluation: held-out suites against stable's artifact, before any pod exists.

Its run is named after what it compares (baseline and suites), so that a stable version which
changes while a candidate waits for the slot makes another evaluation, and the same one is never
made twice. Once the slot is taken the result stands.
"""

from __future__ import annotations

import hashlib

from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_contracts.evaluation import Suite
from slipway_contracts.model_version import EvaluationStatus
from slipway_contracts.names import child_name
from slipway_operator.core.decision import DesiredRun, EvaluateRequest
from slipway_operator.core.draft import FALSE, TRUE, UNKNOWN, Draft, VersionDraft
from slipway_operator.core.effective import evaluation_digest
from slipway_operator.core.gates import GateOutcome, judge_gates
from slipway_operator.core.policies.train import about, look_again
from slipway_operator.core.snapshot import RunObservation, RunState


def evaluate(draft: Draft) -> None:
    """Every accepted version that has its artifact and neither holds the slot nor served."""
    for v in draft:
        waiting = v.live and v.accepted and v.status.artifact is not None
        if waiting and not v.holds_slot and v.rollout is None:
            _evaluate(draft, v)


def suites_of(v: VersionDraft, kind: str) -> tuple[Suite, ...]:
    """The suites of one kind."""
    specs = v.specs
    return tuple(s for s in specs.evaluation.suites if s.kind == kind) if specs else ()


def _evaluate(draft: Draft, v: VersionDraft) -> None:
    suites = suites_of(v, "heldout")
    if not suites:
        # with endpoint suites the evaluation is not over before the probe
        if suites_of(v, "endpoint"):
            _say_probe_follows(v)
        else:
            v.condition(
                ConditionType.EVALUATION_PASSED,
                TRUE,
                reason=Reason.EVALUATION_SKIPPED,
                message="no suite is configured; set spec.evaluation to gate versions",
            )
        return
    run = _run(draft, v, suites)
    if v.status.evaluation is not None and v.status.evaluation.run == run.name:
        return
    seen = draft.snapshot.runs.get(run.name)
    if seen is not None and seen.state is RunState.FAILED:
        broken(v, seen.message or f"run {run.name} failed; read its log")
    elif seen is not None and seen.state is RunState.SUCCEEDED:
        outcome = judge_run(v, seen, suites=suites)
        status = summary(v, outcome, run=run)
        v.set(evaluation=status)
        conclude(v, outcome, more=bool(suites_of(v, "endpoint")))
    else:
        _running(draft, v, run, seen)


def _run(draft: Draft, v: VersionDraft, suites: tuple[Suite, ...]) -> DesiredRun:
    assert v.specs is not None and v.status.artifact is not None
    stable = draft.roles.stable
    compared = stable if v.specs.evaluation.baseline == "stable" else None
    artifact = compared.status.artifact if compared is not None else None
    name = compared.name if compared is not None and artifact is not None else None
    digest = artifact.digest if artifact is not None else ""
    facts = f"{name}/{digest}/{evaluation_digest(v.specs.evaluation)}"
    tag = hashlib.sha256(facts.encode()).hexdigest()[:6]
    return DesiredRun(
        name=child_name(v.name, v.uid, v.status.attempt, f"eval-{tag}"),
        version=v.name,
        request=EvaluateRequest(
            suites=suites,
            artifact=v.status.artifact,
            baseline_version=name,
            baseline_artifact=artifact,
        ),
    )


def _running(draft: Draft, v: VersionDraft, run: DesiredRun, seen: RunObservation | None) -> None:
    draft.runs[run.name] = run
    look_again(draft, seen)
    assert isinstance(run.request, EvaluateRequest)
    done, against = v.status.evaluation, run.request.baseline_version
    again = done is not None and done.baseline != against
    v.condition(
        ConditionType.EVALUATION_PASSED,
        UNKNOWN,
        reason=Reason.STABLE_CHANGED if again else Reason.EVALUATION_RUNNING,
        message=f"{about(run, seen)}, compared with {against or 'nothing: there is no baseline'}",
    )


def judge_run(v: VersionDraft, seen: RunObservation, *, suites: tuple[Suite, ...]) -> GateOutcome:
    """The gates on a finished run's report."""
    assert v.specs is not None
    report = seen.result.report if seen.result is not None else None
    if report is None:
        said = seen.result.error if seen.result is not None else ""
        return GateOutcome(broken=said or f"run {seen.name} ended without a report; read its log")
    return judge_gates(v.specs.evaluation, report, suites=suites)


def summary(v: VersionDraft, outcome: GateOutcome, *, run: DesiredRun) -> EvaluationStatus:
    """What the status keeps of it."""
    assert v.specs is not None and isinstance(run.request, EvaluateRequest)
    return EvaluationStatus(
        run=run.name,
        baseline=run.request.baseline_version,
        passed=outcome.passed,
        total=len(outcome.results),
        gates=outcome.results,
        spec_digest=evaluation_digest(v.specs.evaluation),
    )


def conclude(v: VersionDraft, outcome: GateOutcome, *, more: bool) -> None:
    """Condition and, where a gate said no or the machinery broke, the end of the attempt."""
    if outcome.broken:
        broken(v, outcome.broken)
        return
    failures = outcome.failures
    if failures:
        said = "; ".join(f"{failure.metric}: {failure.message}" for failure in failures)
        message = f"{said}. Improve the version, or change spec.evaluation and set spec.retry.id"
        v.condition(
            ConditionType.EVALUATION_PASSED, FALSE, reason=Reason.GATE_FAILED, message=message
        )
        v.leave(Phase.REJECTED, Reason.GATE_FAILED, message=message)
    elif more:
        _say_probe_follows(v)
    else:
        notes = [f"{r.metric}: {r.message}" for r in outcome.results if r.message]
        v.condition(
            ConditionType.EVALUATION_PASSED,
            TRUE,
            reason=Reason.EVALUATION_PASSED,
            message="; ".join([f"{outcome.passed}/{len(outcome.results)} gates passed", *notes]),
        )


def broken(v: VersionDraft, message: str) -> None:
    """The machinery broke: never a Pass, and not the version's fault."""
    said = f"{message}; correct the cause, then set spec.retry.id"
    v.condition(
        ConditionType.EVALUATION_PASSED, FALSE, reason=Reason.EVALUATION_ERROR, message=said
    )
    v.leave(Phase.FAILED, Reason.EVALUATION_ERROR, message=said)


def _say_probe_follows(v: VersionDraft) -> None:
    v.condition(
        ConditionType.EVALUATION_PASSED,
        UNKNOWN,
        reason=Reason.EVALUATION_RUNNING,
        message="the endpoint suites run when the backend is ready, before any traffic",
    )


def offline_done(draft: Draft, v: VersionDraft) -> bool:
    """Its held-out suites passed against what is stable now (or there are none)."""
    suites = suites_of(v, "heldout")
    if not suites:
        return True
    done = v.status.evaluation
    return done is not None and done.run == _run(draft, v, suites).name
