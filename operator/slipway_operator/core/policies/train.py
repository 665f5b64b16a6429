"""The artifact: a training or an import run, until the status holds what it made.

Once it does, no run is ever desired again, even if the platform forgot that there was one.
"""

from __future__ import annotations

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.conditions import ConditionType, Phase, Reason
from slipway_contracts.model_version import LineageStatus, TrainingStatus
from slipway_contracts.names import child_name
from slipway_contracts.run import RunResult
from slipway_operator.core.decision import DesiredRun, ImportRequest, TrainRequest
from slipway_operator.core.draft import FALSE, TRUE, UNKNOWN, Draft, VersionDraft
from slipway_operator.core.snapshot import RunObservation, RunState

ASKED_SECONDS = 2.0
TOLD_SECONDS = 15.0


def train(draft: Draft) -> None:
    """Every accepted version that has no artifact yet."""
    for v in draft:
        if not v.live or not v.accepted:
            continue
        if v.status.artifact is not None:
            _complete(v)
            continue
        run = _desired(draft, v)
        if run is not None:
            _follow(draft, v, run)


def _desired(draft: Draft, v: VersionDraft) -> DesiredRun | None:
    """The run, or None while its base has no artifact (said in a condition)."""
    source = v.spec.source
    training, adapter = source.training, source.adapter
    base_name = adapter.base if adapter is not None else None
    if training is not None and training.base is not None:
        base_name = training.base.version
    base: ArtifactRef | None = None
    if base_name is not None:
        parent = draft.versions.get(base_name)
        base = parent.status.artifact if parent is not None else None
        if base is None:
            _base_missing(draft, v, base_name)
            return None
    request: TrainRequest | ImportRequest
    if training is not None:
        request = TrainRequest(training=training, base=base)
        limit = training.backoff_limit
    else:
        origin = source.artifact or source.adapter or source.random
        assert origin is not None
        request, limit = ImportRequest(source=origin, base=base), 2
    kind = "train" if training is not None else "import"
    name = child_name(v.name, v.uid, v.status.attempt, kind)
    return DesiredRun(name=name, version=v.name, request=request, backoff_limit=limit)


def _base_missing(draft: Draft, v: VersionDraft, base: str) -> None:
    parent = draft.versions.get(base)
    if parent is None:
        fix = f"base version {base} does not exist; apply it, or name another base"
    elif parent.over:
        fix = f"base version {base} ended without an artifact; retry it, or name another base"
    else:
        fix = f"waits for base version {base} to have its artifact"
    v.condition(ConditionType.TRAINING_COMPLETE, FALSE, reason=Reason.BASE_NOT_READY, message=fix)


def _follow(draft: Draft, v: VersionDraft, run: DesiredRun) -> None:
    seen = draft.snapshot.runs.get(run.name)
    training = isinstance(run.request, TrainRequest)
    failed = Reason.TRAINING_FAILED if training else Reason.IMPORT_FAILED
    if seen is not None and seen.state is RunState.SUCCEEDED:
        artifact = seen.result.artifact if seen.result is not None else None
        if seen.result is None or artifact is None:
            said = seen.result.error if seen.result is not None else ""
            _fail(v, failed, said or "the run ended without an artifact; read its log")
            return
        v.set(artifact=artifact, lineage=_lineage(seen.result))
        _progress(v, seen)
        _complete(v)
        return
    if seen is not None and seen.state is RunState.FAILED:
        _progress(v, seen)
        code = f" (exit code {seen.exit_code})" if seen.exit_code is not None else ""
        said = seen.message or f"run {run.name} failed{code}; read its log"
        _fail(v, seen.reason or failed, f"{said}; correct the cause, then set spec.retry.id")
        return
    draft.runs[run.name] = run
    look_again(draft, seen)
    reason = Reason.TRAINING_RUNNING if training else Reason.IMPORTING
    v.condition(ConditionType.TRAINING_COMPLETE, FALSE, reason=reason, message=about(run, seen))
    if seen is not None:
        _progress(v, seen)


def about(run: DesiredRun, seen: RunObservation | None) -> str:
    """The run's name, and what keeps it from working, if anything does."""
    return (
        f"run {run.name}: {seen.message}"
        if seen is not None and seen.message
        else f"run {run.name}"
    )


def look_again(draft: Draft, seen: RunObservation | None) -> None:
    """At a run that goes on: soon, unless its platform tells; then only to be sure."""
    draft.wake_in(TOLD_SECONDS if seen is not None and seen.told else ASKED_SECONDS)


def _progress(v: VersionDraft, seen: RunObservation) -> None:
    latest = seen.progress
    known = v.status.training or TrainingStatus()
    update: dict[str, object] = {"run": seen.name, "restarts": seen.restarts}
    if latest is not None:
        update |= {
            "step": latest.step,
            "max_steps": latest.max_steps or known.max_steps,
            "loss": latest.loss if latest.loss is not None else known.loss,
            "tokens_per_second": latest.tokens_per_second,
            "eta_seconds": latest.eta_seconds,
        }
    v.set(training=known.model_copy(update=update))


def _lineage(result: RunResult) -> LineageStatus | None:
    lineage = result.lineage
    if lineage is None:
        return None
    return LineageStatus(
        parent=lineage.parent,
        base=lineage.base,
        dataset_digest=lineage.dataset_digest,
        code_revision=lineage.code_revision,
    )


def _complete(v: VersionDraft) -> None:
    trained = v.spec.source.training is not None
    artifact = v.status.artifact
    assert artifact is not None
    v.condition(
        ConditionType.TRAINING_COMPLETE,
        TRUE,
        reason=Reason.TRAINING_SUCCEEDED if trained else Reason.IMPORTED,
        message=artifact.digest,
    )
    v.condition(
        ConditionType.ARTIFACT_VERIFIED, TRUE, reason=Reason.VERIFIED, message=artifact.digest
    )


def _fail(v: VersionDraft, reason: Reason, message: str) -> None:
    v.condition(ConditionType.TRAINING_COMPLETE, FALSE, reason=reason, message=message)
    if reason in {Reason.DIGEST_MISMATCH, Reason.ARTIFACT_REFUSED}:
        v.condition(ConditionType.ARTIFACT_VERIFIED, UNKNOWN, reason=reason, message=message)
    v.leave(Phase.FAILED, reason, message=message)
