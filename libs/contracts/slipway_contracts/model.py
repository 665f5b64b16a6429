"""``Model``: the public name, how its versions are run, and where traffic goes now."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator

from slipway_contracts.base import API_VERSION, LongText, Name, ObjectMeta, Spec, Status, Uri
from slipway_contracts.conditions import Condition
from slipway_contracts.evaluation import Evaluation
from slipway_contracts.rollout import Rollout, TrafficShare
from slipway_contracts.serving import Serving


class Task(StrEnum):
    """What a Model answers."""

    TEXT_GENERATION = "text-generation"
    EMBEDDING = "embedding"
    IMAGE_CLASSIFICATION = "image-classification"


class GenerationDefaults(Spec):
    """Used where a legacy route's request leaves the field out."""

    max_tokens: int = Field(default=128, ge=1, le=131_072)
    """At most so many tokens an answer."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Nucleus sampling: the share of probability to choose from."""


class Retention(Spec):
    """How many superseded versions keep their artifacts, for ``undo``."""

    versions: int = Field(default=3, ge=1, le=100)
    """Superseded versions to keep."""


class Notifications(Spec):
    """Where rollout outcomes are posted; the address may carry a secret, so it is a reference."""

    webhook_secret: Name | None = None
    """The Secret whose key url is posted to. Empty: nobody is told."""


class ModelSpec(Spec):
    """Desired state of a public model name."""

    task: Task = Task.TEXT_GENERATION
    """What the Model answers; decides which engine runs it."""
    default: bool = False
    """Whether it answers the legacy routes of its task, which name no model."""
    serving: Serving = Serving()
    system_prompt: LongText | None = None
    """Put before a conversation that brings none of its own."""
    generation_defaults: GenerationDefaults = GenerationDefaults()
    evaluation: Evaluation = Evaluation()
    rollout: Rollout = Rollout()
    pinned_version: Name | None = None
    """The version that gets all traffic, whatever rollouts say: promote and undo. Empty: rollouts
    decide.
    """
    traffic: tuple[TrafficShare, ...] = Field(default=(), max_length=8)
    """A fixed split for A/B tests, in per cent that sum to 100; rollouts are refused while it is
    set.
    """
    retention: Retention = Retention()
    notifications: Notifications = Notifications()

    @model_validator(mode="after")
    def _whole(self) -> ModelSpec:
        """A Model overrides nothing, so its parts must be right with their own defaults."""
        replicas, evaluation = self.serving.replicas, self.evaluation
        if replicas.max < replicas.min:
            raise ValueError(
                f"spec.serving.replicas.max is {replicas.max}, below replicas.min; raise max"
            )
        if evaluation.gates and not evaluation.suites:
            raise ValueError("spec.evaluation.suites is empty, but gates name suites; add them")
        return self

    @model_validator(mode="after")
    def _traffic_sums(self) -> ModelSpec:
        if self.traffic and sum(share.weight for share in self.traffic) != 100:
            raise ValueError("spec.traffic weights must sum to 100")
        if len({share.version for share in self.traffic}) != len(self.traffic):
            raise ValueError("spec.traffic names a version twice")
        return self


class RouteStatus(Status):
    """One version's share as written to the gateways."""

    version: Name
    """The ModelVersion."""
    weight: int
    """Its share in per cent."""
    endpoint: Uri | None = None
    """Base URL of its backend."""
    adapter: str | None = None
    """The LoRA adapter's name, where it runs on the stable version's pods."""


class Leftover(Status):
    """A backend whose ModelVersion was replaced or deleted; it goes when it is drained."""

    backend: str
    """Name of the backend."""
    since: AwareDatetime | None = None
    """Since when it drains."""
    absent_since: AwareDatetime | None = None
    """Since when there is no version of its name."""


class ModelStatus(Status):
    """Observed state; written by the operator only."""

    observed_generation: int = 0
    """The generation of the spec that this status is about."""
    stable: Name | None = None
    """The version that serves."""
    candidate: Name | None = None
    """The version that holds the rollout slot."""
    previous: Name | None = None
    """The version that served before, kept at 5 % while the promotion is watched."""
    watch_until: AwareDatetime | None = None
    """When the watch after the last promotion ends."""
    routes: tuple[RouteStatus, ...] = ()
    """Where traffic goes now."""
    routes_revision: int = 0
    """Revision of the routes as written."""
    routes_applied: int = 0
    """Lowest revision that a live gateway applies."""
    leftovers: tuple[Leftover, ...] = ()
    """Backends of versions that were replaced or deleted, until they are drained."""
    conditions: tuple[Condition, ...] = ()
    """Ready, Stalled, Degraded and TrafficApplied."""


class Model(Spec):
    """A public model name: how its versions are run, and where its traffic goes now."""

    api_version: Literal["slipway.dev/v1alpha1"] = Field(default=API_VERSION)
    kind: Literal["Model"] = "Model"
    metadata: ObjectMeta
    spec: ModelSpec = ModelSpec()
    status: ModelStatus = ModelStatus()
