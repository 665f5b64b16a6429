"""Conditions, phases and the closed set of reasons.

A reason is what scripts match on, so the set is closed: a new reason is a change of the contract.
A message is for the person who reads it and names the next action.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime

from slipway_contracts.base import Status


class Phase(StrEnum):
    """Where a ModelVersion stands, for display only; logic reads conditions and the rollout."""

    PENDING = "Pending"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    AWAITING_APPROVAL = "AwaitingApproval"
    DEPLOYING = "Deploying"
    SHADOWING = "Shadowing"
    CANARY = "Canary"
    PROMOTING = "Promoting"
    SERVING = "Serving"
    SUPERSEDED = "Superseded"
    REJECTED = "Rejected"
    FAILED = "Failed"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    PAUSED = "Paused"
    TERMINATING = "Terminating"
    RETIRED = "Retired"


TERMINAL_PHASES = frozenset(
    {Phase.SUPERSEDED, Phase.REJECTED, Phase.FAILED, Phase.ROLLED_BACK, Phase.RETIRED}
)


class ConditionType(StrEnum):
    """Condition types of both kinds; a Model carries Ready, Stalled, Degraded, TrafficApplied."""

    ACCEPTED = "Accepted"
    TRAINING_COMPLETE = "TrainingComplete"
    ARTIFACT_VERIFIED = "ArtifactVerified"
    EVALUATION_PASSED = "EvaluationPassed"
    CANDIDATE_READY = "CandidateReady"
    TRAFFIC_APPLIED = "TrafficApplied"
    ANALYSIS_HEALTHY = "AnalysisHealthy"
    PROMOTED = "Promoted"
    STALLED = "Stalled"
    PAUSED = "Paused"
    DEGRADED = "Degraded"
    READY = "Ready"


class Reason(StrEnum):
    """Every reason that a condition, a history entry or an event may carry."""

    # acceptance
    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    MODEL_NOT_FOUND = "ModelNotFound"
    BASE_NOT_READY = "BaseNotReady"
    FIXED_TRAFFIC = "FixedTraffic"
    MODE_NOT_SUPPORTED = "ModeNotSupported"
    PINNED = "Pinned"
    # runs
    TRAINING_RUNNING = "TrainingRunning"
    TRAINING_SUCCEEDED = "TrainingSucceeded"
    TRAINING_FAILED = "TrainingFailed"
    IMPORTING = "Importing"
    IMPORTED = "Imported"
    IMPORT_FAILED = "ImportFailed"
    EVALUATION_RUNNING = "EvaluationRunning"
    EVALUATION_PASSED = "EvaluationPassed"
    EVALUATION_SKIPPED = "EvaluationSkipped"
    EVALUATION_ERROR = "EvaluationError"
    GATE_FAILED = "GateFailed"
    STABLE_CHANGED = "StableChanged"
    # artifacts and capacity
    VERIFIED = "Verified"
    DIGEST_MISMATCH = "DigestMismatch"
    ARTIFACT_REFUSED = "ArtifactRefused"
    DOWNLOAD_FAILED = "DownloadFailed"
    INSUFFICIENT_CAPACITY = "InsufficientCapacity"
    IMAGE_PULL = "ImagePull"
    OOM_KILLED = "OOMKilled"
    STARTUP_FAILED = "StartupFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    # rollout
    ANOTHER_ROLLOUT_ACTIVE = "AnotherRolloutActive"
    STARTING = "Starting"
    BACKEND_READY = "BackendReady"
    BACKEND_LOST = "BackendLost"
    AWAITING_APPROVAL = "AwaitingApproval"
    SHADOWING = "Shadowing"
    IN_PROGRESS = "InProgress"
    ROUTES_APPLIED = "RoutesApplied"
    ROUTES_PENDING = "RoutesPending"
    GATEWAY_UNAVAILABLE = "GatewayUnavailable"
    ANALYSIS_PASSED = "AnalysisPassed"
    ANALYSIS_RUNNING = "AnalysisRunning"
    ANALYSIS_FAILED = "AnalysisFailed"
    GUARD_TRIPPED = "GuardTripped"
    NO_DATA = "NoData"
    METRICS_UNAVAILABLE = "MetricsUnavailable"
    UNDECIDED = "Undecided"
    ERROR_BUDGET_SPENT = "ErrorBudgetSpent"
    FIRST_VERSION = "FirstVersion"
    PROMOTED = "Promoted"
    PROMOTED_BY_REQUEST = "PromotedByRequest"
    ABORTED = "Aborted"
    DRAINING = "Draining"
    SUPERSEDED = "Superseded"
    RETIRED = "Retired"
    PAUSED = "Paused"
    RESUMED = "Resumed"
    RETRIED = "Retried"
    REPLACED = "Replaced"
    SERVING = "Serving"
    NOT_SERVING = "NotServing"
    HEALTHY = "Healthy"


class ConditionStatus(StrEnum):
    """Kubernetes' three condition states."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Status):
    """One standard condition; ``last_transition_time`` moves only when ``status`` flips."""

    type: ConditionType
    """What the condition is about."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Reason
    """Why, as one word for scripts."""
    message: str = ""
    """Why, for people, with the next action."""
    last_transition_time: AwareDatetime
    """When the status last flipped."""
    observed_generation: int = 0
    """The generation of the spec that it is about."""


def find_condition(conditions: tuple[Condition, ...], kind: ConditionType) -> Condition | None:
    """The condition of that type, or None."""
    return next((c for c in conditions if c.type == kind), None)


def set_condition(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """Replace or append by type; keeps the old transition time when the status did not flip."""
    old = find_condition(conditions, new.type)
    if old is None:
        return (*conditions, new)
    if old.status == new.status:
        new = new.model_copy(update={"last_transition_time": old.last_transition_time})
    return tuple(new if c.type == new.type else c for c in conditions)
