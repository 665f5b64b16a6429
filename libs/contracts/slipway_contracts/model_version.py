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
    """A folder, an object-store address, hf://OWNER/NAME or a checkpoint.pt."""
    digest: Digest | None = None
    """The manifest's digest that the artifact must have."""
    revision: ShortText | None = None
    """The commit of a Hugging Face repository."""


class AdapterSource(Spec):
    """A LoRA adapter over a base version of the same namespace."""

    base: Name
    """The ModelVersion that it adapts."""
    uri: Uri
    """Where the adapter is."""
    digest: Digest | None = None
    """The manifest's digest that the adapter must have."""


class RandomSource(Spec):
    """Untrained weights of a bundled architecture: the baseline to compare a training with."""

    architecture: ShortText = "tiny-llama"
    """A bundled architecture."""
    seed: int = 0
    """Seed of the weights."""


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
    """Whether the person said yes."""


class Retry(Spec):
    """An opaque nonce: a new value is a new attempt."""

    id: str = Field(default="", max_length=64)
    """Any text; another text is another attempt."""


class ModelVersionSpec(Spec):
    """Desired state of one version. ``model`` and ``source`` are immutable."""

    model: Name
    """The Model that it is a version of; immutable."""
    source: Source
    serving: Serving | None = None
    evaluation: Evaluation | None = None
    rollout: Rollout | None = None
    approval: Approval = Approval()
    desired_state: Literal["Active", "Paused", "Aborted", "Retired"] = "Active"
    """Active runs the rollout, Paused holds it, Aborted ends it, Retired frees what it uses."""
    retry: Retry = Retry()


class TrainingStatus(Status):
    """Latest progress line of the run that makes the artifact."""

    run: str = ""
    """Name of the run."""
    step: int = 0
    """Optimizer steps done."""
    max_steps: int = 0
    """Optimizer steps in all."""
    loss: float | None = None
    """Latest training loss, nats a token."""
    tokens_per_second: float | None = None
    """Latest throughput."""
    eta_seconds: float | None = None
    """Seconds to the end at this pace."""
    restarts: int = 0
    """How often the run was started again."""


class EvaluationStatus(Status):
    """Gate outcomes, and the stable version they were compared with."""

    run: str = ""
    """Name of the run."""
    baseline: str | None = None
    """The stable version that it was compared with."""
    passed: int = 0
    """Gates that passed."""
    total: int = 0
    """Gates in all."""
    gates: tuple[GateResult, ...] = ()
    """Each gate with its figures."""
    report_digest: str | None = None
    """Digest of the whole report."""
    spec_digest: str = ""
    """Digest of the evaluation's settings."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """Gates passed of all, such as ``5/5``; a printer column cannot join two fields."""
        return f"{self.passed}/{self.total}"


class SlowThresholds(Status):
    """Frozen at a step's start: a first byte or a token slower than this is a bad event (ms)."""

    ttft_ms: float
    """A first token later than this is slow."""
    token_ms: float
    """A longer mean gap between tokens than this is slow."""


class StepSummary(Status):
    """What one finished step was judged on."""

    step: int
    """Number of the step, from 0; -1 is shadow."""
    weight: int
    """The candidate's share in per cent."""
    started_at: AwareDatetime
    """When the gateways applied the weight."""
    ended_at: AwareDatetime | None = None
    """When the step ended."""
    requests: int = 0
    """Requests that the candidate answered."""
    bad: int = 0
    """Bad events among them."""
    verdict: str = ""
    """How it was judged."""
    thresholds: SlowThresholds | None = None


class RolloutStatus(Status):
    """Where the rollout stands. ``step`` counts from 0; -1 is shadow or not begun.

    ``plan`` is the ladder in weights, resolved once when the rollout starts (Auto reads traffic).
    ``paused_seconds`` is taken off both clocks. ``first``: there was no incumbent to compare with.
    """

    step: int = -1
    """The step that runs, from 0; -1 is shadow or not begun."""
    first: bool = False
    """Whether nothing served when it began."""
    plan: tuple[int, ...] = ()
    """The ladder in per cent."""
    started_at: AwareDatetime | None = None
    """When the rollout slot was put to use."""
    step_started_at: AwareDatetime | None = None
    """When the gateways applied this step's weight."""
    shadow_started_at: AwareDatetime | None = None
    """When copies began."""
    shadow_ended_at: AwareDatetime | None = None
    """When enough copies were answered."""
    paused_since: AwareDatetime | None = None
    """Since when it is paused."""
    paused_seconds: float = 0
    """Time paused in all."""
    step_paused_seconds: float = 0
    """Time paused in this step."""
    weight_desired: int = 0
    """The candidate's share as written to the routes."""
    weight_observed: int = 0
    """The candidate's share that every live gateway applies."""
    thresholds: SlowThresholds | None = None
    verdict: str = ""
    """Latest verdict."""
    message: str = ""
    """Latest verdict in a sentence."""
    errors_spent: int = 0
    """Unreadable ticks so far."""
    last_error_tick: int = 0
    """Newest unreadable tick."""
    decided_by: Reason | None = None
    """What ended the rollout."""
    decided_at: AwareDatetime | None = None
    """When it was decided."""
    promoted_at: AwareDatetime | None = None
    """When it became stable."""
    drain_started_at: AwareDatetime | None = None
    """Since when its weight is 0 and its streams run out."""
    spec_digest: str = ""
    """Digest of the rollout's settings; an edit restarts the step."""
    steps: tuple[StepSummary, ...] = ()
    """The steps so far."""


class LineageStatus(Status):
    """Where the served bytes came from."""

    parent: str | None = None
    """Digest of the artifact that training continued from."""
    base: str | None = None
    """Digest of the artifact that was fine-tuned or adapted."""
    dataset_digest: str | None = None
    """Digest of the training data."""
    code_revision: str | None = None
    """Revision of the training code."""
    report_digest: str | None = None
    """Digest of the evaluation report."""


class HistoryEntry(Status):
    """One ended attempt."""

    attempt: str
    """Id of the attempt."""
    phase: Phase
    """How it ended."""
    reason: Reason
    """Why."""
    at: AwareDatetime
    """When."""


class Outcome(Status):
    """How an attempt ends: the phase it ends in, and why."""

    phase: Phase
    """How it ended."""
    reason: Reason
    """Why."""
    message: str = ""
    """Why, in a sentence."""
    at: AwareDatetime
    """When."""


class ModelVersionStatus(Status):
    """Observed state; written by the operator only.

    ``evaluation`` is the offline one, ``probe`` that of the endpoint suites. ``ending`` is set when
    the version begins to leave (weight 0, then drain); ``outcome`` when nothing of it is left.
    """

    observed_generation: int = 0
    """The generation of the spec that this status is about."""
    phase: Phase = Phase.PENDING
    """Where it stands, for people; scripts read conditions."""
    conditions: tuple[Condition, ...] = ()
    """What is known, each with its reason."""
    attempt: str = ""
    """Id of this attempt."""
    attempt_number: int = 0
    """Attempts so far."""
    serving: Serving | None = None
    backend: str = ""
    """Name of its backend."""
    training: TrainingStatus | None = None
    evaluation: EvaluationStatus | None = None
    probe: EvaluationStatus | None = None
    rollout: RolloutStatus | None = None
    artifact: ArtifactRef | None = None
    lineage: LineageStatus | None = None
    capacity_wait_since: AwareDatetime | None = None
    """Since when it waits for capacity."""
    slot_taken_at: AwareDatetime | None = None
    """When it took the Model's rollout slot."""
    ending: Outcome | None = None
    outcome: Outcome | None = None
    history: tuple[HistoryEntry, ...] = ()
    """Earlier attempts."""

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
        """The one to show: why it ended, else what holds it up, decided it or changed last."""
        ended = self.outcome or self.ending
        if ended is not None:
            return ended.reason.value
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
    """One version of a Model: how its artifact comes to be, and how far its rollout is."""

    api_version: Literal["slipway.dev/v1alpha1"] = Field(default=API_VERSION)
    kind: Literal["ModelVersion"] = "ModelVersion"
    metadata: ObjectMeta
    spec: ModelVersionSpec
    status: ModelVersionStatus = ModelVersionStatus()
