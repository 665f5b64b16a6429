"""``Decision``: what should be true, as plain data that can be printed, diffed and tested.

Desired state, not commands: applying a decision twice changes nothing, and a decision that was
half applied is completed by the next pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.conditions import Reason
from slipway_contracts.evaluation import Suite
from slipway_contracts.model import ModelStatus
from slipway_contracts.model_version import (
    AdapterSource,
    ArtifactSource,
    ModelVersionStatus,
    RandomSource,
)
from slipway_contracts.route import ModelRoute
from slipway_contracts.serving import Serving
from slipway_contracts.training import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """Train; ``base`` is resolved to an artifact when the config names one."""

    training: Training
    base: ArtifactRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """Import, merge or initialise; ``base`` is the adapter's base."""

    source: ArtifactSource | AdapterSource | RandomSource
    base: ArtifactRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """Measure the candidate, and the baseline where there is one. URLs only for endpoint suites."""

    suites: tuple[Suite, ...]
    artifact: ArtifactRef
    endpoint: str | None = None
    baseline_version: str | None = None
    baseline_artifact: ArtifactRef | None = None
    baseline_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRun:
    """A run that should exist. The platform starts it once and again up to ``backoff_limit``."""

    name: str
    version: str
    request: TrainRequest | ImportRequest | EvaluateRequest
    backoff_limit: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredBackend:
    """A backend that should exist. ``serving`` is the snapshot taken at acceptance.

    ``replicas`` is the floor that the version's weight needs now.
    """

    name: str
    version: str
    model: str
    artifact: ArtifactRef
    serving: Serving
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One event to append after the status write succeeded."""

    kind: Literal["Model", "ModelVersion"]
    name: str
    type: Literal["Normal", "Warning"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Desired runs and backends (what is not listed goes), route, statuses, events.

    ``runs``: those listed should exist; a run of this Model that is not listed is stopped, its
    record kept. ``backends``: a backend of this Model that is not listed is deleted: the core keeps
    a draining one listed until it is drained. ``route`` None: the Model's route is deleted.
    ``release``: names of ModelVersions (and of the Model) whose finalizer may go.
    ``requeue_after`` in seconds; None: only an event wakes this Model.
    """

    runs: tuple[DesiredRun, ...] = ()
    backends: tuple[DesiredBackend, ...] = ()
    route: ModelRoute | None = None
    model_status: ModelStatus | None = None
    version_statuses: Mapping[str, ModelVersionStatus] = field(default_factory=dict)
    events: tuple[EventRecord, ...] = ()
    release_versions: tuple[str, ...] = ()
    release_model: bool = False
    requeue_after: float | None = None
