"""What the verbs need of a platform, as small Protocols, and the session that carries them.

Local mode implements them over PostgreSQL (``postgres.py``), a cluster over its API server
(``cluster``), where what only PostgreSQL has is out of reach. No verb knows which one it talks to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from slipway_cli.local.layout import LocalState
from slipway_cli.resources import Kind, Resource
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.run import Progress
from slipway_store.events import Event
from slipway_store.jobs import DeadJob, QueuedJob
from slipway_store.keys import KeyRecord, NewKey
from slipway_store.measurements import Measurement
from slipway_store.tenants import Tenant, TenantSettings
from slipway_store.traffic import Traffic
from slipway_store.usage import Usage


class ObjectClient(Protocol):
    """Models and ModelVersions. Raises the errors of ``slipway_cli.errors``."""

    async def get(self, kind: Kind, name: str) -> Resource: ...

    async def list(self, kind: Kind) -> Sequence[Resource]: ...

    async def create(self, resource: Resource, spec: Mapping[str, Any]) -> None:
        """Store it with the drain finalizer; ``spec`` is the sparse wire form."""
        ...

    async def update_spec(
        self,
        current: Resource,
        spec: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Replace the spec (and labels) of exactly the state that was read, else raise Conflict."""
        ...

    async def delete(self, kind: Kind, name: str) -> None: ...

    def changes(self) -> AsyncIterator[tuple[Kind, str]]:
        """Every object once, then each that changed."""
        ...


class EventReader(Protocol):
    """The append-only event list."""

    async def events(
        self, *, kind: Kind | None = None, name: str | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[Event]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTraffic:
    """A version's last hour. ``bad`` are errors; 0 requests means that nothing is known."""

    requests: int
    requests_per_second: float
    bad: int


class EvidenceReader(Protocol):
    """What a version was judged on."""

    async def latest(self, model: str, version: str) -> Measurement | None: ...

    async def last_hour(self, model: str, version: str) -> LiveTraffic: ...

    async def history(self, model: str, version: str, *, limit: int) -> Sequence[Measurement]:
        """The newest ``limit``, newest first."""
        ...

    async def over_time(
        self, model: str, *, since: datetime, until: datetime, seconds: int
    ) -> Sequence[Traffic]:
        """The Model's traffic by version, in buckets of ``seconds``."""
        ...


class ProgressReader(Protocol):
    """How a version's training went."""

    async def progress(self, version: ModelVersion) -> Sequence[Progress]:
        """Every line that is kept, oldest first; in a cluster the latest only."""
        ...


class KeyRegistry(Protocol):
    """The gateway's API keys."""

    async def create(self, new: NewKey) -> tuple[KeyRecord, str]:
        """The key and its secret, which nothing can show again."""
        ...

    async def rotate(self, key_id: str, *, grace: timedelta) -> tuple[KeyRecord, str]:
        """A new secret; the old one ends after the grace. Raises NotFound, Conflict."""
        ...

    async def revoke(self, key_id: str) -> None: ...

    async def list(self, *, tenant: str | None = None) -> Sequence[KeyRecord]: ...


class TenantRegistry(Protocol):
    """Whose keys they are. Raises NotFound, Conflict."""

    async def create(self, name: str, settings: TenantSettings) -> Tenant: ...

    async def change(self, name: str, settings: TenantSettings) -> Tenant: ...

    async def get(self, name: str) -> Tenant: ...

    async def delete(self, name: str) -> None: ...

    async def list(self) -> Sequence[Tenant]: ...


class UsageReader(Protocol):
    """What was used, by day."""

    async def read(
        self, *, first: date, last: date, tenant: str | None, model: str | None
    ) -> Sequence[Usage]: ...


class JobRegistry(Protocol):
    """The worker's queue."""

    async def queued(self, *, limit: int) -> Sequence[QueuedJob]: ...

    async def dead(self, *, limit: int) -> Sequence[DeadJob]: ...

    async def retry(self, jobs: Sequence[int] | None) -> Sequence[int]:
        """Queue dead jobs again (None: all); their ids. Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One connection to a running Slipway. ``state``: None in a cluster."""

    state: LocalState | None
    objects: ObjectClient
    events: EventReader
    evidence: EvidenceReader
    progress: ProgressReader
    keys: KeyRegistry
    jobs: JobRegistry
    tenants: TenantRegistry
    usage: UsageReader

    @property
    def has_database(self) -> bool:
        """Whether measurements, the request log and keys can be read from here."""
        return self.state is not None
