"""The session of local mode: objects, events and keys in the embedded PostgreSQL.

Translates the store's errors into the command's. Holds no SQL.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from slipway_cli.client import LiveTraffic, Session
from slipway_cli.errors import Conflict, InvalidInput, NotFound, NotRunning
from slipway_cli.local.layout import Layout
from slipway_cli.resources import Kind, Resource, parse_resource
from slipway_cli.run_folders import RunFolders
from slipway_cli.settings import require_state
from slipway_contracts.names import FINALIZER
from slipway_store import errors as store
from slipway_store import events, jobs, keys, measurements, tenants, traffic
from slipway_store.audit import Actor
from slipway_store.connect import Pool, open_pool
from slipway_store.events import Event
from slipway_store.jobs import DeadJob, QueuedJob
from slipway_store.keys import KeyRecord, NewKey
from slipway_store.measurements import Measurement
from slipway_store.objects import ObjectStore
from slipway_store.tenants import Tenant, TenantSettings
from slipway_store.usage import Usage, read_usage


@asynccontextmanager
async def connect(layout: Layout) -> AsyncIterator[Session]:
    """A session with the Slipway of this home. Raises NotRunning."""
    state = require_state(layout)
    try:
        pool = await open_pool(state.dsn, max_size=2)
    except store.UNAVAILABLE as error:
        raise NotRunning(
            f"Slipway's PostgreSQL does not answer ({error}): run `slipway up` first"
        ) from None
    try:
        yield Session(
            state=state,
            objects=PostgresObjects(pool, state.dsn),
            events=PostgresEvents(pool),
            evidence=PostgresEvidence(pool),
            progress=RunFolders(layout.home / "runs"),
            keys=PostgresKeys(pool),
            jobs=PostgresJobs(pool),
            tenants=PostgresTenants(pool),
            usage=PostgresUsage(pool),
        )
    finally:
        pool.terminate()


def _actor() -> Actor:
    """For the audit log."""
    try:
        return Actor(name=f"cli:{getpass.getuser()}")
    except (KeyError, OSError):
        # A user id without a name, as in some containers.
        return Actor(name=f"cli:{os.getuid()}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except store.NotFound as error:
        raise NotFound(str(error)) from None
    except (store.Conflict, store.AlreadyExists) as error:
        raise Conflict(str(error)) from None
    except store.InvalidValue as error:
        raise InvalidInput(str(error)) from None
    except store.UNAVAILABLE as error:
        raise NotRunning(
            f"the connection to Slipway's PostgreSQL broke ({error}): see `slipway doctor`"
        ) from None


class PostgresObjects:
    """``ObjectClient`` over ``ObjectStore``."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        self._store = ObjectStore(pool)
        self._dsn = dsn

    async def get(self, kind: Kind, name: str) -> Resource:
        with _translated():
            try:
                return parse_resource(await self._store.get(kind, name))
            except store.NotFound:
                raise NotFound(
                    f"{kind} {name} does not exist; `slipway get {kind.short}` lists what does"
                ) from None

    async def list(self, kind: Kind) -> Sequence[Resource]:
        with _translated():
            return [parse_resource(body) for body in await self._store.list(kind)]

    async def create(self, resource: Resource, spec: Mapping[str, Any]) -> None:
        metadata = resource.metadata
        with _translated():
            await self._store.create(
                resource.kind,
                metadata.name,
                spec,
                labels=metadata.labels,
                annotations=metadata.annotations,
                finalizers=[FINALIZER],
            )

    async def update_spec(
        self,
        current: Resource,
        spec: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        metadata = current.metadata
        with _translated():
            await self._store.update_spec(
                current.kind,
                metadata.name,
                spec,
                resource_version=metadata.resource_version,
                labels=labels,
            )

    async def delete(self, kind: Kind, name: str) -> None:
        with _translated():
            await self._store.delete(kind, name)

    async def changes(self) -> AsyncIterator[tuple[Kind, str]]:
        watch = self._store.watch(self._dsn)
        async for kind, _namespace, name in watch:
            yield Kind(kind), name


@dataclass(frozen=True, slots=True)
class PostgresEvents:
    """``EventReader`` over the events table."""

    pool: Pool

    async def events(
        self, *, kind: Kind | None = None, name: str | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[Event]:
        with _translated():
            return await events.list_events(
                self.pool, kind=kind, name=name, after=after, limit=limit
            )


@dataclass(frozen=True, slots=True)
class PostgresEvidence:
    """``EvidenceReader`` over the measurements."""

    pool: Pool

    async def latest(self, model: str, version: str) -> Measurement | None:
        with _translated():
            return await measurements.latest(self.pool, model, version)

    async def last_hour(self, model: str, version: str) -> LiveTraffic:
        now = datetime.now(UTC)
        with _translated():
            base = await traffic.baseline(self.pool, model=model, version=version, now=now)
            totals = await traffic.summary(
                self.pool, model=model, version=version, since=now - traffic.BASELINE_WINDOW
            )
        return LiveTraffic(
            requests=base.requests,
            requests_per_second=base.requests_per_second,
            bad=totals.errors,
        )

    async def history(self, model: str, version: str, *, limit: int) -> Sequence[Measurement]:
        with _translated():
            return await measurements.history(self.pool, model, version, limit=limit)

    async def over_time(
        self, model: str, *, since: datetime, until: datetime, seconds: int
    ) -> Sequence[traffic.Traffic]:
        with _translated():
            return await traffic.over_time(
                self.pool, model=model, since=since, until=until, seconds=seconds
            )


@dataclass(frozen=True, slots=True)
class PostgresKeys:
    """``KeyRegistry`` over the keys table."""

    pool: Pool

    async def create(self, new: NewKey) -> tuple[KeyRecord, str]:
        with _translated():
            return await keys.make_key(self.pool, new, actor=_actor())

    async def rotate(self, key_id: str, *, grace: timedelta) -> tuple[KeyRecord, str]:
        with _translated():
            return await keys.rotate_key(self.pool, key_id, grace=grace, actor=_actor())

    async def revoke(self, key_id: str) -> None:
        with _translated():
            await keys.revoke_key(self.pool, key_id, actor=_actor())

    async def list(self, *, tenant: str | None = None) -> Sequence[KeyRecord]:
        with _translated():
            return await keys.list_keys(self.pool, tenant=tenant)


@dataclass(frozen=True, slots=True)
class PostgresTenants:
    """``TenantRegistry`` over the tenants table."""

    pool: Pool

    async def create(self, name: str, settings: TenantSettings) -> Tenant:
        with _translated():
            return await tenants.create_tenant(self.pool, name, settings, actor=_actor())

    async def change(self, name: str, settings: TenantSettings) -> Tenant:
        with _translated():
            return await tenants.change_tenant(self.pool, name, settings, actor=_actor())

    async def get(self, name: str) -> Tenant:
        with _translated():
            return await tenants.get_tenant(self.pool, name)

    async def delete(self, name: str) -> None:
        with _translated():
            await tenants.delete_tenant(self.pool, name, actor=_actor())

    async def list(self) -> Sequence[Tenant]:
        with _translated():
            return await tenants.list_tenants(self.pool)


@dataclass(frozen=True, slots=True)
class PostgresUsage:
    """``UsageReader`` over the usage tables."""

    pool: Pool

    async def read(
        self, *, first: date, last: date, tenant: str | None, model: str | None
    ) -> Sequence[Usage]:
        with _translated():
            return await read_usage(self.pool, first=first, last=last, tenant=tenant, model=model)


@dataclass(frozen=True, slots=True)
class PostgresJobs:
    """``JobRegistry`` over the queue's tables."""

    pool: Pool

    async def queued(self, *, limit: int) -> Sequence[QueuedJob]:
        with _translated():
            return await jobs.list_queued(self.pool, limit=limit)

    async def dead(self, *, limit: int) -> Sequence[DeadJob]:
        with _translated():
            return await jobs.list_dead(self.pool, limit=limit)

    async def retry(self, chosen: Sequence[int] | None) -> Sequence[int]:
        with _translated():
            return await jobs.retry_dead(self.pool, chosen, actor=_actor())
