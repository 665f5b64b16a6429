"""A desired run → the spec file that ``slipway_training`` reads. Pure.

Artifacts go under ``artifacts/<run name>``, or to an object store under that name: it holds uid and
attempt, so a retry writes a place of its own and never over one that serves.
"""

from __future__ import annotations

from pathlib import Path

from slipway_contracts.model_version import AdapterSource, ArtifactSource, RandomSource
from slipway_contracts.run import (
    AdapterImport,
    EvaluateRun,
    EvaluationTarget,
    ImportRun,
    TrainRun,
)
from slipway_operator.core.decision import (
    DesiredRun,
    EvaluateRequest,
    ImportRequest,
    TrainRequest,
)


def run_spec(
    run: DesiredRun, home: Path, *, model: str, store: str = ""
) -> TrainRun | ImportRun | EvaluateRun:
    """The run's whole input; paths are absolute.

    ``store``: the object store's address below which artifacts go; the folder is then the run's
    own, until its content is there.
    """
    folder = home / "runs" / run.name / "artifact" if store else home / "artifacts" / run.name
    artifact_dir, publish_to = str(folder), f"{store}/{run.name}" if store else None
    match run.request:
        case TrainRequest() as request:
            return TrainRun(
                version=run.version,
                artifact_dir=artifact_dir,
                publish_to=publish_to,
                training=request.training,
                base=request.base,
            )
        case ImportRequest() as request:
            imported = _import_run(run.version, artifact_dir, request)
            return imported.model_copy(update={"publish_to": publish_to})
        case EvaluateRequest() as request:
            return _evaluate_run(run.version, model, request)


def _import_run(version: str, artifact_dir: str, request: ImportRequest) -> ImportRun:
    match request.source:
        case ArtifactSource() as source:
            return ImportRun(version=version, artifact_dir=artifact_dir, artifact=source)
        case RandomSource() as source:
            return ImportRun(version=version, artifact_dir=artifact_dir, random=source)
        case AdapterSource() as source:
            if request.base is None:
                raise ValueError(f"import of {version}: an adapter needs its base's artifact")
            adapter = AdapterImport(base=request.base, uri=source.uri, digest=source.digest)
            return ImportRun(version=version, artifact_dir=artifact_dir, adapter=adapter)


def _evaluate_run(version: str, model: str, request: EvaluateRequest) -> EvaluateRun:
    baseline = None
    if request.baseline_version is not None and request.baseline_artifact is not None:
        baseline = EvaluationTarget(
            version=request.baseline_version,
            artifact=request.baseline_artifact,
            endpoint=request.baseline_endpoint,
            served_model=model,
        )
    candidate = EvaluationTarget(
        version=version, artifact=request.artifact, endpoint=request.endpoint, served_model=model
    )
    return EvaluateRun(candidate=candidate, baseline=baseline, suites=request.suites)
