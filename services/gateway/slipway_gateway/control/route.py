"""A Model's route as the hot path reads it: plain fields, made once when a route arrives.

The contracts' classes check what they are given and cost a look-up through pydantic at every
reading, and a request reads thirty fields. Nothing is decided here.
"""

from __future__ import annotations

from slipway_contracts.model import GenerationDefaults, Task
from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute, ShadowRoute
from slipway_contracts.split import BUCKETS, Split


class Backend:
    """One version's share: the buckets below ``upper`` that no backend before it owns."""

    __slots__ = ("role", "upper", "url", "version", "weight")

    def __init__(self, given: BackendRoute, upper: int) -> None:
        self.version = given.version
        self.url = given.url
        self.role: str = given.role
        self.weight = given.weight
        self.upper = upper


class GuardRule:
    """When a gateway stops a candidate on its own."""

    __slots__ = ("candidate", "candidate_bad", "min_requests", "rollout_id", "stable", "stable_bad")

    def __init__(self, given: GuardRoute) -> None:
        self.candidate = given.candidate
        self.stable = given.stable
        self.rollout_id = given.rollout_id
        self.min_requests = given.min_requests
        self.candidate_bad = given.candidate_bad
        self.stable_bad = given.stable_bad


class Route:
    """Of what the operator wrote, what a request reads."""

    __slots__ = (
        "_split", "backends", "generation_defaults", "guard", "max_model_len", "model",
        "overdue_ms", "revision", "shadow", "stickiness", "system_prompt", "task",
    )  # fmt: skip

    def __init__(self, given: ModelRoute) -> None:
        self.model = given.model
        self.revision = given.revision
        self.task: Task = given.task
        self._split = Split(given.salt)
        self.stickiness: str = given.stickiness
        self.backends = _backends(given)
        self.guard = None if given.guard is None else GuardRule(given.guard)
        self.shadow: ShadowRoute | None = given.shadow
        self.overdue_ms = given.overdue_ms
        self.system_prompt = given.system_prompt
        self.generation_defaults: GenerationDefaults = given.generation_defaults
        self.max_model_len = given.max_model_len

    def version_for(self, unit: str) -> Backend | None:
        """The backend that owns the unit's bucket; None when nothing serves."""
        bucket = self._split.bucket(unit)
        for backend in self.backends:
            if bucket < backend.upper:
                return backend
        return None


def _backends(given: ModelRoute) -> list[Backend]:
    backends, upper = [], 0
    for backend in given.backends:
        upper += backend.weight * (BUCKETS // 100)
        backends.append(Backend(backend, upper))
    return backends
