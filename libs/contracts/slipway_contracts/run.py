"""The files through which a platform and a training run speak.

The platform starts ``python -m slipway_training run --spec SPEC --work WORK``. SPEC is one
``RunSpec`` as JSON. In WORK the run appends ``progress.jsonl`` (a ``Progress`` a line), keeps its
checkpoints under ``checkpoints/``, and at the end writes ``result.json`` (a ``RunResult``)
atomically, then exits 0. Started again on the same WORK it resumes. SIGTERM: checkpoint, then exit
``EXIT_CHECKPOINTED`` (see ``slipway_contracts.training`` for the exit codes).

A platform that cannot read WORK asks for ``--report stdout``: then each Progress, and at the end
the RunResult, is also one line of standard output after its mark; and for ``--result-file FILE``,
which gets the RunResult if it has at most ``RESULT_FILE_LIMIT`` bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slipway_contracts.artifact import ArtifactRef, Lineage
from slipway_contracts.base import Spec, Uri
from slipway_contracts.evaluation import EvaluationReport, Suite
from slipway_contracts.model_version import ArtifactSource, RandomSource
from slipway_contracts.training import Training

PROGRESS_FILE = "progress.jsonl"
RESULT_FILE = "result.json"
PROGRESS_MARK = "slipway-progress"
RESULT_MARK = "slipway-result"
# What Kubernetes keeps of a container's termination message; the rest it would cut off.
RESULT_FILE_LIMIT = 4096


class TrainRun(Spec):
    """Train and write the artifact to ``artifact_dir`` (created whole or not at all).

    ``publish_to``: an object store's address to which the artifact then goes; ``artifact_dir`` is
    deleted when it is there.
    """

    verb: Literal["train"] = "train"
    version: str
    artifact_dir: str
    publish_to: Uri | None = None
    training: Training
    base: ArtifactRef | None = None


class AdapterImport(Spec):
    """A LoRA adapter merged into its base."""

    base: ArtifactRef
    uri: str
    digest: str | None = None


class ImportRun(Spec):
    """Turn what the source names into an artifact with a manifest; ``publish_to`` as TrainRun's."""

    verb: Literal["import"] = "import"
    version: str
    artifact_dir: str
    publish_to: Uri | None = None
    artifact: ArtifactSource | None = None
    adapter: AdapterImport | None = None
    random: RandomSource | None = None


class EvaluationTarget(Spec):
    """One version to measure: its artifact, and its endpoint for endpoint suites."""

    version: str
    artifact: ArtifactRef
    endpoint: str | None = Field(
        default=None, description="base URL that has /v1/completions under it"
    )
    served_model: str = ""


class EvaluateRun(Spec):
    """Measure every suite on the candidate and, where given, on the baseline."""

    verb: Literal["evaluate"] = "evaluate"
    candidate: EvaluationTarget
    baseline: EvaluationTarget | None = None
    suites: tuple[Suite, ...]


RunSpec = Annotated[TrainRun | ImportRun | EvaluateRun, Field(discriminator="verb")]


class Progress(Spec):
    """One line of ``progress.jsonl``. Times are unix seconds; loss is nats a token."""

    at: float
    event: Literal["start", "step", "evaluation", "checkpoint", "end"] = "step"
    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    eval_loss: float | None = None
    tokens_per_second: float | None = None
    eta_seconds: float | None = None


class RunResult(Spec):
    """What a finished run leaves. ``error`` is empty on success."""

    artifact: ArtifactRef | None = None
    lineage: Lineage | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    report: EvaluationReport | None = None
    error: str = ""
