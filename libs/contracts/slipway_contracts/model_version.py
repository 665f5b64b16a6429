"""``ModelVersion``: an immutable artifact, how it came to be, and how far its rollout is."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, computed_field, model_validator

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.base import (
    API_VERSION,
    Digest,
    Name,
    ObjectMeta,
    ShortText,
    Spec,
    Status,
    Uri,
)
from slipway_contracts.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
    find_condition,
)
from slipway_contracts.evaluation import Evaluation, GateResult
from slipway_contracts.rollout import Rollout
from slipway_contracts.serving import Serving
from slipway_contracts.training import Training

HISTORY_LIMIT = 10


class ArtifactSource(Spec):
    """Ready-made weights: a Slipway artifact, a Hugging Face folder or ``checkpoint.pt``."""

    uri: Uri
    digest: Digest | None = None
    revision: ShortText | None = None


class AdapterSource(Spec):
    """A LoRA adapter over a base version of the same namespace."""

    base: Name
    uri: Uri
    digest: Digest | None = None


class RandomSource(Spec):
    """Untrained weights of a bundled architecture: the baseline to compare a training with."""

    architecture: ShortText = "tiny-llama"
    seed: int = 0


class Source(Spec):
    """Exactly one way in which the artifact comes to be."""

    training: Training | None = None
    artifact: ArtifactSource | None = None
    adapter: AdapterSource | None = None
    random: RandomSource | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Source:
        given = [n for n in type(self).model_fields if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(
                "spec.source needs exactly one of training, artifact, adapter, random; "
                f"got {', '.join(given) or 'none'}"
            )
        return self


class Approval(Spec):
    """A person's yes, where a step or an evaluation asks for it."""

    granted: bool = False


class Retry(Spec):
    """An opaque nonce: a new value is a new attempt."""

    id: str = Field(default="", max_length=64)


class ModelVersionSpec(Spec):
    """Desired state of one version. ``model`` and ``source`` are immutable."""

    model: Name
    source: Source
    serving: Serving | None = None
    evaluation: Evaluation | None = None
    rollout: Rollout | None = None
    approval: Approval = Approval()
    desired_state: Literal["Active", "Paused", "Aborted", "Retired"] = "Active"
    retry: Retry = Retry()


class TrainingStatus(Status):
    """Latest progress line of the run that makes the artifact."""

    run: str = ""
    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    tokens_per_second: float | None = None
    eta_seconds: float | None = None
    restarts: int = 0


class EvaluationStatus(Status):
    """Gate outcomes, and the stable version they were compared with."""

    run: str = ""
    baseline: str | None = None
    passed: int = 0
    total: int = 0
    gates: tuple[GateResult, ...] = ()
    report_digest: str | None = None
    spec_digest: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """Gates passed of all, such as ``5/5``; a printer column cannot join two fields."""
        return f"{self.passed}/{self.total}"


class SlowThresholds(Status):
    """Frozen at a step's start: a first byte or a token slower than this is a bad event (ms)."""

    ttft_ms: float
    token_ms: float


class StepSummary(Status):
    """What one finished step was judged on."""

    step: int
    weight: int
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    requests: int = 0
    bad: int = 0
    verdict: str = ""
    thresholds: SlowThresholds | None = None


class RolloutStatus(Status):
    """Where the rollout stands. ``step`` counts from 0; -1 is shadow or not begun.

    ``plan`` is the ladder in weights, resolved once when the rollout starts (Auto reads traffic).
    ``paused_seconds`` is taken off both clocks. ``first``: there was no incumbent to compare with.
    """

    step: int = -1
    first: bool = False
    plan: tuple[int, ...] = ()
    started_at: AwareDatetime | None = None
    step_started_at: AwareDatetime | None = None
    shadow_started_at: AwareDatetime | None = None
    paused_since: AwareDatetime | None = None
    paused_seconds: float = 0
    step_paused_seconds: float = 0
    weight_desired: int = 0
    weight_observed: int = 0
    thresholds: SlowThresholds | None = None
    verdict: str = ""
    message: str = ""
    errors_spent: int = 0
    last_error_tick: int = 0
    decided_by: Reason | None = None
    decided_at: AwareDatetime | None = None
    promoted_at: AwareDatetime | None = None
    drain_started_at: AwareDatetime | None = None
    spec_digest: str = ""
    steps: tuple[StepSummary, ...] = ()


class LineageStatus(Status):
    """Where the served bytes came from."""

    parent: str | None = None
    base: str | None = None
    dataset_digest: str | None = None
    code_revision: str | None = None
    report_digest: str | None = None


class HistoryEntry(Status):
    """One ended attempt."""

    attempt: str
    phase: Phase
    reason: Reason
    at: AwareDatetime


class Outcome(Status):
    """How an attempt ends: the phase it ends in, and why."""

    phase: Phase
    reason: Reason
    message: str = ""
    at: AwareDatetime


class ModelVersionStatus(Status):
    """Observed state; written by the operator only.

    ``evaluation`` is the offline one, ``probe`` that of the endpoint suites. ``ending`` is set when
    the version begins to leave (weight 0, then drain); ``outcome`` when nothing of it is left.
    """

    observed_generation: int = 0
    phase: Phase = Phase.PENDING
    conditions: tuple[Condition, ...] = ()
    attempt: str = ""
    attempt_number: int = 0
    serving: Serving | None = None
    backend: str = ""
    training: TrainingStatus | None = None
    evaluation: EvaluationStatus | None = None
    probe: EvaluationStatus | None = None
    rollout: RolloutStatus | None = None
    artifact: ArtifactRef | None = None
    lineage: LineageStatus | None = None
    capacity_wait_since: AwareDatetime | None = None
    slot_taken_at: AwareDatetime | None = None
    ending: Outcome | None = None
    outcome: Outcome | None = None
    history: tuple[HistoryEntry, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def progress(self) -> str:
        """How far the current phase is, such as ``120/400`` of a training; empty where unknown."""
        if self.phase is Phase.TRAINING and self.training is not None:
            return f"{self.training.step}/{self.training.max_steps}"
        rollout = self.rollout
        if self.phase in {Phase.CANARY, Phase.PROMOTING} and rollout is not None and rollout.plan:
            return f"{min(rollout.step + 1, len(rollout.plan))}/{len(rollout.plan)}"
        return ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def reason(self) -> str:
        """The one reason to show: what holds it up, else what decided it, else the last change."""
        for kind in (ConditionType.STALLED, ConditionType.PAUSED, ConditionType.DEGRADED):
            found = find_condition(self.conditions, kind)
            if found is not None and found.status is ConditionStatus.TRUE:
                return found.reason.value
        if self.rollout is not None and self.rollout.decided_by is not None:
            return self.rollout.decided_by.value
        if not self.conditions:
            return ""
        return max(reversed(self.conditions), key=lambda c: c.last_transition_time).reason.value


class ModelVersion(Spec):
    """The resource, as applied and as read back."""

    api_version: Literal["slipway.dev/v1alpha1"] = Field(default=API_VERSION)
    kind: Literal["ModelVersion"] = "ModelVersion"
    metadata: ObjectMeta
    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()
