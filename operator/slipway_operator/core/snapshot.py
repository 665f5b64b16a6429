"""``Snapshot``: everything that ``decide`` may look at, for one Model and its versions.

Plain frozen data. The shell (``observe``) gathers it; the core reads no clock, no database and no
cluster. What could not be observed is None or absent, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.conditions import Reason
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.route import ModelRoute
from slipway_contracts.run import Progress, RunResult
from slipway_contracts.serving import Serving
from slipway_verdicts.judge import Judgement


class RunState(StrEnum):
    """A run's life as its platform sees it. ``LOST``: ended, and is to be started again."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """When a run last did what, in unix seconds, as far as its latest lines tell."""

    began_at: float | None = None
    stepped_at: float | None = None
    checkpoint_at: float | None = None
    eval_loss: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunObservation:
    """One run. ``restarts`` counts how often the platform started it again; ``told``: nothing of
    it changes without the platform's saying so, so that it need not be asked every moment.
    """

    name: str
    state: RunState
    exit_code: int | None = None
    reason: Reason | None = None
    message: str = ""
    restarts: int = 0
    progress: Progress | None = None
    milestones: Milestones = Milestones()
    result: RunResult | None = None
    told: bool = False


class BackendState(StrEnum):
    """A backend's life. ``READY``: a real completion came back through its own URL."""

    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    NO_CAPACITY = "no_capacity"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendObservation:
    """One version's backend. ``url`` has ``/v1/…`` under it; ``ready_replicas`` may serve.

    ``version``, ``artifact`` and ``serving`` are what it was started with, as far as the platform
    remembers: from them a lost status is rebuilt, and the backend of a replaced object is drained.
    """

    name: str
    state: BackendState
    url: str = ""
    ready_replicas: int = 0
    reason: Reason | None = None
    message: str = ""
    version: str = ""
    artifact: ArtifactRef | None = None
    serving: Serving | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesObservation:
    """The Model's route as stored, and the lowest revision among the live gateways.

    ``applied`` is 0 with no live gateway. ``body_digest`` is that of the stored route's body.
    ``stored`` is the stored route itself (its ``revision`` is ignored when it is compared): the
    core confirms a write by it, so it must be what PostgreSQL holds, None where it holds none.
    """

    revision: int = 0
    applied: int = 0
    live_gateways: int = 0
    body_digest: str = ""
    stored: ModelRoute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Stable's last hour, for the Auto ladder and for freezing the slow thresholds.

    ``ttft_p95_ms`` and ``token_p95_ms`` are None below 200 samples.
    """

    requests_per_second: float = 0.0
    ttft_p95_ms: float | None = None
    token_p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Live evidence on the version that holds the slot, or the reason why there is none.

    The slot's holder has ``status.slot_taken_at``. Its arm is "candidate" in the counts before and
    after its promotion; the other arm is ``status.candidate``'s stable, then ``status.previous``
    of the Model; none for a first version. Steps: ``status.rollout.steps`` (index, start, end); the
    current one is ``rollout.step``, counted only from ``rollout.step_started_at`` (None: the weight
    is not confirmed yet, so it has no samples); the watch after the promotion is step
    ``len(plan)``. The guard's ``rollout_id`` is ``status.backend``.

    ``version``: whom this is about (evidence on another version is ignored).
    ``judgement`` is None when the source could not be read: then ``error`` says why and
    ``error_tick`` is the 5 s tick of the failure (so that calling twice spends one error).
    ``shadow_requests`` are the copies answered since the shadow phase began, ``shadow_bad`` those
    that failed.
    """

    version: str = ""
    judgement: Judgement | None = None
    error: str = ""
    error_tick: int = 0
    guard_tripped: bool = False
    shadow_requests: int = 0
    shadow_bad: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One Model at one moment. Maps go by child name (``slipway_contracts.names.child_name``).

    ``bases``: the artifact status of versions of *other* Models that a training starts from is not
    needed: a base is a version of the same Model or a URI. ``in_flight``: attempts per version that
    have not ended, summed over live gateways; a version that is absent has none; None: not known,
    then a drain takes its whole ``drainSeconds``.
    """

    now: datetime
    model: Model | None
    versions: tuple[ModelVersion, ...] = ()
    runs: Mapping[str, RunObservation] = field(default_factory=dict)
    backends: Mapping[str, BackendObservation] = field(default_factory=dict)
    routes: RoutesObservation = RoutesObservation()
    baseline: Baseline = Baseline()
    analysis: Analysis | None = None
    in_flight: Mapping[str, int] | None = None
    namespace_terminating: bool = False
