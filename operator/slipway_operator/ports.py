"""The ports: what reconcile needs of a platform. One suite tests both platforms.

All methods are idempotent and safe to call again after a kill at any line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus
from slipway_contracts.route import ModelRoute
from slipway_operator.core.decision import DesiredBackend, DesiredRun, EventRecord
from slipway_operator.core.snapshot import (
    BackendObservation,
    RoutesObservation,
    RunObservation,
)


class Objects(Protocol):
    """Models and ModelVersions. Writes carry the resource version that was read (``Conflict``)."""

    async def read(self, model: str) -> tuple[Model | None, tuple[ModelVersion, ...]]: ...

    async def write_model_status(self, model: Model, status: ModelStatus) -> None: ...

    async def write_version_status(
        self, version: ModelVersion, status: ModelVersionStatus
    ) -> None: ...

    async def release(self, obj: Model | ModelVersion) -> None: ...

    def watch(self) -> AsyncIterator[str]:
        """Names of Models to reconcile: all at start, then each that changed."""
        ...


class Events(Protocol):
    """The append-only event list."""

    async def append(self, namespace: str, events: Sequence[EventRecord]) -> None: ...


class Runs(Protocol):
    """Training, import and evaluation runs."""

    async def observe(self, model: str) -> Mapping[str, RunObservation]: ...

    async def apply(self, model: str, desired: Sequence[DesiredRun]) -> None: ...


class Backends(Protocol):
    """One backend a version."""

    async def observe(self, model: str) -> Mapping[str, BackendObservation]: ...

    async def apply(self, model: str, desired: Sequence[DesiredBackend]) -> None: ...


class Routes(Protocol):
    """Routes to the gateways and what they answer; PostgreSQL on both platforms."""

    async def observe(self, model: str) -> RoutesObservation: ...

    async def apply(self, model: str, route: ModelRoute | None) -> None:
        """Write and notify, only if the body differs from what is stored."""
        ...
