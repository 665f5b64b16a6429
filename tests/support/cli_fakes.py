"""An in-memory session for the command's unit tests, and a way to run a command line against it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from slipway_cli.client import LiveTraffic, Session
from slipway_cli.errors import Conflict, NotFound, NotRunning
from slipway_cli.local.layout import Layout, LocalState
from slipway_cli.main import main
from slipway_cli.resources import Kind, Resource, parse_resource
from slipway_cli.shell import Shell
from slipway_cli.terminal import Terminal
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.run import Progress
from slipway_store.events import Event
from slipway_store.jobs import DeadJob, QueuedJob
from slipway_store.keys import KeyRecord, NewKey
from slipway_store.measurements import Measurement
from slipway_store.tenants import Tenant, TenantSettings
from slipway_store.traffic import Traffic
from slipway_store.usage import Usage

NO_TRAFFIC = LiveTraffic(requests=0, requests_per_second=0, bad=0)
CREATED = datetime.now(UTC) - timedelta(minutes=5)


class FakeObjects:
    """Objects in a dict. ``scripted`` changes are applied one by one as ``changes`` is read."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[Kind, str], dict[str, Any]] = {}
        self.scripted: list[tuple[Kind, str, dict[str, Any] | None]] = []
        self.conflicts = 0
        self.endless = False
        self.fail_on_create: str | None = None
        self._versions = 0

    def put(
        self,
        kind: Kind,
        name: str,
        spec: Mapping[str, Any],
        status: Mapping[str, Any] | None = None,
        **metadata: Any,
    ) -> None:
        self._versions += 1
        meta = {
            "name": name,
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": str(self._versions),
            "creationTimestamp": CREATED.isoformat(),
        }
        self.bodies[kind, name] = {
            "apiVersion": "slipway.dev/v1alpha1",
            "kind": kind.value,
            "metadata": meta | metadata,
            "spec": dict(spec),
            "status": {"observedGeneration": 1, **(status or {})},
        }

    def spec(self, kind: Kind, name: str) -> dict[str, Any]:
        return self.bodies[kind, name]["spec"]

    async def get(self, kind: Kind, name: str) -> Resource:
        if (kind, name) not in self.bodies:
            raise NotFound(f"{kind} {name} does not exist")
        return parse_resource(self.bodies[kind, name])

    async def list(self, kind: Kind) -> Sequence[Resource]:
        return [parse_resource(b) for (k, _), b in sorted(self.bodies.items()) if k is kind]

    async def create(self, resource: Resource, spec: Mapping[str, Any]) -> None:
        if resource.metadata.name == self.fail_on_create:
            raise Conflict("somebody was quicker")
        self.put(Kind(resource.kind), resource.metadata.name, spec, labels=resource.metadata.labels)

    async def update_spec(
        self,
        current: Resource,
        spec: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        body = self.bodies[Kind(current.kind), current.metadata.name]
        if self.conflicts:
            self.conflicts -= 1
            self._versions += 1
            body["metadata"]["resourceVersion"] = str(self._versions)
        if body["metadata"]["resourceVersion"] != current.metadata.resource_version:
            raise Conflict("written meanwhile")
        self._versions += 1
        body["metadata"]["resourceVersion"] = str(self._versions)
        body["metadata"]["generation"] += 1
        body["spec"] = dict(spec)
        if labels is not None:
            body["metadata"]["labels"] = dict(labels)

    async def delete(self, kind: Kind, name: str) -> None:
        if (kind, name) not in self.bodies:
            raise NotFound(f"{kind} {name} does not exist")
        self.bodies[kind, name]["metadata"]["deletionTimestamp"] = CREATED.isoformat()

    async def changes(self) -> AsyncIterator[tuple[Kind, str]]:
        for key in list(self.bodies):
            yield key
        for kind, name, status in self.scripted:
            if status is None:
                self.bodies.pop((kind, name), None)
            else:
                body = self.bodies[kind, name]
                body["status"] = {**body["status"], **status}
                self._versions += 1
                body["metadata"]["resourceVersion"] = str(self._versions)
            yield kind, name
        if self.endless:
            await asyncio.Event().wait()
        # A real watch never ends; a test that gets here waited for something that never came.
        raise AssertionError("the script of changes is over and the command still waits")


@dataclass
class FakeEvents:
    rows: list[Event] = field(default_factory=list)

    async def events(
        self, *, kind: Kind | None = None, name: str | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[Event]:
        found = [
            e
            for e in self.rows
            if e.id > after and kind in {None, e.kind} and name in {None, e.name}
        ]
        return found[-limit:]


@dataclass
class FakeEvidence:
    measurement: Measurement | None = None
    traffic: LiveTraffic = NO_TRAFFIC
    earlier: list[Measurement] = field(default_factory=list)
    buckets: list[Traffic] = field(default_factory=list)

    async def latest(self, model: str, version: str) -> Measurement | None:
        return self.measurement

    async def last_hour(self, model: str, version: str) -> LiveTraffic:
        return self.traffic

    async def history(self, model: str, version: str, *, limit: int) -> Sequence[Measurement]:
        every = self.earlier + ([self.measurement] if self.measurement is not None else [])
        return list(reversed(every))[:limit]

    async def over_time(
        self, model: str, *, since: datetime, until: datetime, seconds: int
    ) -> Sequence[Traffic]:
        return [point for point in self.buckets if since <= point.at < until]


@dataclass
class FakeProgress:
    lines: list[Progress] = field(default_factory=list)

    async def progress(self, version: ModelVersion) -> Sequence[Progress]:
        return self.lines


@dataclass
class FakeKeys:
    records: dict[str, KeyRecord] = field(default_factory=dict)

    async def create(self, new: NewKey) -> tuple[KeyRecord, str]:
        record = KeyRecord(
            id=f"id{len(self.records)}",
            name=new.name,
            hash="h",
            tenant=new.tenant or new.name,
            models=tuple(new.models),
            endpoints=tuple(new.endpoints),
            limits=new.limits,
            created_at=CREATED,
            expires_at=new.expires_at,
        )
        self.records[record.id] = record
        return record, f"slw_{record.id}_secret"

    async def rotate(self, key_id: str, *, grace: timedelta) -> tuple[KeyRecord, str]:
        until = datetime.now(UTC) + grace
        record = replace(self._found(key_id), retired_hash="h", retired_until=until)
        self.records[key_id] = record
        return record, f"slw_{key_id}_new"

    async def revoke(self, key_id: str) -> None:
        self._found(key_id)

    async def list(self, *, tenant: str | None = None) -> Sequence[KeyRecord]:
        return [r for r in self.records.values() if tenant in {None, r.tenant}]

    def _found(self, key_id: str) -> KeyRecord:
        if key_id not in self.records:
            raise NotFound(f"there is no key {key_id}")
        return self.records[key_id]


@dataclass
class FakeTenants:
    known: dict[str, Tenant] = field(default_factory=dict)

    async def create(self, name: str, settings: TenantSettings) -> Tenant:
        if name in self.known:
            raise Conflict(f"there is a tenant {name} already")
        self.known[name] = Tenant(name=name, settings=settings, created_at=CREATED)
        return self.known[name]

    async def change(self, name: str, settings: TenantSettings) -> Tenant:
        self.known[name] = replace(await self.get(name), settings=settings)
        return self.known[name]

    async def get(self, name: str) -> Tenant:
        if name not in self.known:
            raise NotFound(f"there is no tenant {name}")
        return self.known[name]

    async def delete(self, name: str) -> None:
        await self.get(name)
        del self.known[name]

    async def list(self) -> Sequence[Tenant]:
        return list(self.known.values())


@dataclass
class FakeUsage:
    lines: list[Usage] = field(default_factory=list)

    async def read(
        self, *, first: date, last: date, tenant: str | None, model: str | None
    ) -> Sequence[Usage]:
        return [
            line
            for line in self.lines
            if first <= line.day <= last
            and tenant in {None, line.tenant}
            and model in {None, line.model}
        ]


@dataclass
class FakeJobs:
    waiting: list[QueuedJob] = field(default_factory=list)
    given_up: list[DeadJob] = field(default_factory=list)

    async def queued(self, *, limit: int) -> Sequence[QueuedJob]:
        return self.waiting[:limit]

    async def dead(self, *, limit: int) -> Sequence[DeadJob]:
        return self.given_up[:limit]

    async def retry(self, jobs: Sequence[int] | None) -> Sequence[int]:
        chosen = [j for j in self.given_up if jobs is None or j.id in jobs]
        if jobs is not None and len(chosen) < len(jobs):
            raise NotFound(f"no dead job has the id {jobs[0]}")
        self.given_up = [j for j in self.given_up if j not in chosen]
        return [j.id for j in chosen]


@dataclass
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str


class Cli:
    """The command over fakes. ``home`` holds logs; ``running=False`` is before `slipway up`."""

    def __init__(self, home: Path, *, running: bool = True) -> None:
        self.home, self.running = home, running
        self.objects, self.events = FakeObjects(), FakeEvents()
        self.evidence, self.keys, self.jobs = FakeEvidence(), FakeKeys(), FakeJobs()
        self.tenants, self.usage, self.progress = FakeTenants(), FakeUsage(), FakeProgress()
        self.in_cluster = False

    def run(self, *arguments: str, tty: bool = False) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        terminal = Terminal(
            out=Console(file=out, highlight=False, markup=False, soft_wrap=True),
            err=Console(
                file=err, highlight=False, markup=False, soft_wrap=True, force_terminal=tty
            ),
        )
        shell = Shell(terminal=terminal, layout=Layout(self.home), connect=self._connect)
        code = main(arguments, shell=shell)
        return Ran(code=code, out=out.getvalue(), err=err.getvalue())

    @asynccontextmanager
    async def _connect(self, layout: Layout) -> AsyncIterator[Session]:
        if not self.running:
            raise NotRunning("Slipway is not running: run `slipway up` first")
        state = LocalState(
            dsn="", gateway_url="", serve_url="", dashboard_url="", home=str(layout.home)
        )
        yield Session(
            state=None if self.in_cluster else state,
            objects=self.objects,
            events=self.events,
            evidence=self.evidence,
            progress=self.progress,
            keys=self.keys,
            jobs=self.jobs,
            tenants=self.tenants,
            usage=self.usage,
        )
