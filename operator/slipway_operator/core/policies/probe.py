"""The endpoint suites: requests to the ready candidate before anybody else's reach it."""

from __future__ import annotations

from slipway_contracts.evaluation import Suite
from slipway_contracts.names import child_name
from slipway_operator.core.decision import DesiredRun, EvaluateRequest
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.policies.evaluate import (
    broken,
    conclude,
    judge_run,
    suites_of,
    summary,
)
from slipway_operator.core.snapshot import RunState


def probe(draft: Draft) -> None:
    """Run and judge them once, while the candidate is ready and has no rollout yet."""
    v = draft.roles.candidate
    if v is None or not v.live or not v.ready or v.rollout is not None or probed(v):
        return
    suites = suites_of(v, "endpoint")
    run = _run(draft, v, suites)
    seen = draft.snapshot.runs.get(run.name)
    if seen is not None and seen.state is RunState.FAILED:
        broken(v, seen.message or f"run {run.name} failed; read its log")
    elif seen is not None and seen.state is RunState.SUCCEEDED:
        outcome = judge_run(v, seen, suites=suites)
        v.set(probe=summary(v, outcome, run=run))
        conclude(v, outcome, more=False)
    else:
        draft.runs[run.name] = run
        draft.wake_in(2)


def probed(v: VersionDraft) -> bool:
    """Nothing is left to probe. An old version that comes back was probed in its time."""
    return not suites_of(v, "endpoint") or v.status.probe is not None


def _run(draft: Draft, v: VersionDraft, suites: tuple[Suite, ...]) -> DesiredRun:
    assert v.specs is not None and v.seen is not None and v.status.artifact is not None
    stable = draft.roles.stable if v.specs.evaluation.baseline == "stable" else None
    compared = stable if stable is not None and stable.ready else None
    return DesiredRun(
        name=child_name(v.name, v.uid, v.status.attempt, "probe"),
        version=v.name,
        request=EvaluateRequest(
            suites=suites,
            artifact=v.status.artifact,
            endpoint=v.seen.url,
            baseline_version=compared.name if compared else None,
            baseline_artifact=compared.status.artifact if compared else None,
            baseline_endpoint=compared.seen.url if compared and compared.seen else None,
        ),
    )
