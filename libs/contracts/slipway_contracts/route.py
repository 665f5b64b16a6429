"""Routes: what the operator tells the gateways through PostgreSQL, and what they answer.

A route owns the buckets (``split``) of one Model: the first backend owns the first ``weight`` per
cent, the next the following, and so on. The operator writes the candidate first, so raising its
weight never moves a unit back.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator

from slipway_contracts.base import Fraction, Percent, Spec
from slipway_contracts.model import GenerationDefaults, Task

HEARTBEAT_EXPIRY_SECONDS = 10.0
CHANNEL_ROUTES = "slipway_routes"
CHANNEL_OBJECTS = "slipway_objects"
CHANNEL_KEYS = "slipway_keys"
CHANNEL_GUARD = "slipway_guard"

Role = Literal["stable", "candidate", "previous", "fixed"]


class BackendRoute(Spec):
    """One version's share. ``url`` is the base that has ``/v1/chat/completions`` under it."""

    version: str
    weight: Percent
    url: str
    role: Role = "stable"


class ShadowRoute(Spec):
    """Copies of a sampled share of the traffic go here; their answers go nowhere but the log."""

    version: str
    url: str
    sample: Fraction


class GuardRoute(Spec):
    """What a gateway may stop on its own (VERDICTS.md, Guard)."""

    candidate: str
    stable: str
    rollout_id: str
    min_requests: int = 20
    candidate_bad: float = 0.5
    stable_bad: float = 0.1


class ModelRoute(Spec):
    """One Model's whole route. ``salt`` is the candidate's uid (the Model's, without one)."""

    model: str
    revision: int = 0
    task: Task = Task.TEXT_GENERATION
    default: bool = False
    salt: str
    stickiness: Literal["Conversation", "User", "Key"] = "Conversation"
    backends: tuple[BackendRoute, ...] = ()
    shadow: ShadowRoute | None = None
    guard: GuardRoute | None = None
    overdue_ms: float | None = Field(
        default=None, description="a stream without its first byte after this is logged as overdue"
    )
    system_prompt: str | None = None
    generation_defaults: GenerationDefaults = GenerationDefaults()
    max_model_len: int | None = None

    @model_validator(mode="after")
    def _whole(self) -> ModelRoute:
        if self.backends and sum(b.weight for b in self.backends) != 100:
            raise ValueError(f"route of {self.model}: weights must sum to 100")
        return self

    def digest(self) -> str:
        """Of everything but the revision: two routes with one digest tell gateways the same."""
        body = self.model_dump(mode="json", by_alias=True, exclude={"revision"})
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class Heartbeat(Spec):
    """A gateway process's row: what it has applied, and until when its log is shipped.

    ``in_flight``: attempts that have not ended, by version; a version without any is left out.
    """

    gateway: str
    revision: int
    watermark: AwareDatetime
    at: AwareDatetime
    in_flight: dict[str, int] = Field(default_factory=dict)


class GuardTrip(Spec):
    """A gateway stopped sending to a candidate; the operator reads it as Fail."""

    model: str
    rollout_id: str
    gateway: str
    candidate_requests: int
    candidate_bad: int
    at: AwareDatetime
