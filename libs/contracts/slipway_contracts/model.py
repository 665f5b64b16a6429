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
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.9, gt=0, le=1)


class Retention(Spec):
    """How many superseded versions keep their artifacts, for ``undo``."""

    versions: int = Field(default=3, ge=1, le=100)


class Notifications(Spec):
    """Where rollout outcomes are posted; the address may carry a secret, so it is a reference."""

    webhook_secret: Name | None = None


class ModelSpec(Spec):
    """Desired state of a public model name."""

    task: Task = Task.TEXT_GENERATION
    default: bool = False
    serving: Serving = Serving()
    system_prompt: LongText | None = None
    generation_defaults: GenerationDefaults = GenerationDefaults()
    evaluation: Evaluation = Evaluation()
    rollout: Rollout = Rollout()
    pinned_version: Name | None = None
    traffic: tuple[TrafficShare, ...] = Field(default=(), max_length=8)
    retention: Retention = Retention()
    notifications: Notifications = Notifications()

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
    weight: int
    endpoint: Uri | None = None
    adapter: str | None = None


class ModelStatus(Status):
    """Observed state; written by the operator only."""

    observed_generation: int = 0
    stable: Name | None = None
    candidate: Name | None = None
    previous: Name | None = None
    watch_until: AwareDatetime | None = None
    routes: tuple[RouteStatus, ...] = ()
    routes_revision: int = 0
    routes_applied: int = 0
    conditions: tuple[Condition, ...] = ()


class Model(Spec):
    """The resource, as applied and as read back."""

    api_version: Literal["slipway.dev/v1alpha1"] = Field(default=API_VERSION)
    kind: Literal["Model"] = "Model"
    metadata: ObjectMeta
    spec: ModelSpec = ModelSpec()
    status: ModelStatus = ModelStatus()
