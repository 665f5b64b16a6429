"""A whole platform in memory, for running the real reconcile loop without a process or a socket.

It keeps the rules that the ports promise (``platform_contract`` checks it beside the real ones) and
adds what a test does as a person, a run, an engine or a gateway: ``objects.create``,
``runs.finish``, ``backends.ready``, ``routes.gateways``. Nothing happens by itself unless an
``auto_`` flag says so.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus
from slipway_contracts.route import ModelRoute
from slipway_contracts.run import RunResult
from slipway_contracts.training import EXIT_CHECKPOINTED
from slipway_operator.core.decision import DesiredBackend, DesiredRun, EventRecord
from slipway_operator.core.snapshot import (
    BackendObservation,
    BackendState,
    RoutesObservation,
    RunObservation,
    RunState,
)
from slipway_operator.errors import Conflict

Object = Model | ModelVersion
Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class MemoryObjects:
    """``ports.Objects``; and ``create``, ``change``, ``delete``, ``find`` for the person."""

    clock: Clock = _now
    stored: dict[tuple[str, str], Object] = field(default_factory=dict)
    writes: int = 0
    _versions: Any = field(default_factory=lambda: itertools.count(1))
    _watchers: list[asyncio.Queue[str]] = field(default_factory=list)

    def create(self, obj: Object) -> Object:
        """As applied: generation 1, a fresh uid and resource version, empty status."""
        key = obj.kind, obj.metadata.name
        if key in self.stored:
            raise KeyError(f"{key} exists")
        made = obj.metadata.model_copy(
            update={"uid": str(uuid4()), "generation": 1, "creation_timestamp": self.clock()}
        )
        return self._store(obj.model_copy(update={"metadata": made, "status": type(obj.status)()}))

    def change(self, kind: str, name: str, **fields: Any) -> Object:
        """Replace fields of the spec; the generation rises if the spec differs."""
        old = self.stored[kind, name]
        spec = old.spec.model_copy(update=fields)
        if spec == old.spec:
            return old
        metadata = old.metadata.model_copy(update={"generation": old.metadata.generation + 1})
        return self._store(old.model_copy(update={"spec": spec, "metadata": metadata}))

    def delete(self, kind: str, name: str) -> None:
        old = self.stored[kind, name]
        if not old.metadata.finalizers:
            self._remove(old)
        elif old.metadata.deletion_timestamp is None:
            marked = old.metadata.model_copy(update={"deletion_timestamp": self.clock()})
            self._store(old.model_copy(update={"metadata": marked}))

    def find(self, kind: str, name: str) -> Object | None:
        return self.stored.get((kind, name))

    def model(self, name: str) -> Model:
        found = self.stored["Model", name]
        assert isinstance(found, Model)
        return found

    def version(self, name: str) -> ModelVersion:
        found = self.stored["ModelVersion", name]
        assert isinstance(found, ModelVersion)
        return found

    async def read(self, model: str) -> tuple[Model | None, tuple[ModelVersion, ...]]:
        found = self.stored.get(("Model", model))
        versions = [
            o for o in self.stored.values() if isinstance(o, ModelVersion) and o.spec.model == model
        ]
        versions.sort(key=lambda o: (o.metadata.creation_timestamp, o.metadata.name))
        return (found if isinstance(found, Model) else None), tuple(versions)

    async def write_model_status(self, model: Model, status: ModelStatus) -> None:
        self._write(model, status)

    async def write_version_status(self, version: ModelVersion, status: ModelVersionStatus) -> None:
        self._write(version, status)

    async def release(self, obj: Object) -> None:
        current = self.stored.get((obj.kind, obj.metadata.name))
        if current is None or current.metadata.uid != obj.metadata.uid:
            return
        if current.metadata.deletion_timestamp is not None:
            self._remove(current)
        elif current.metadata.finalizers:
            bare = current.metadata.model_copy(update={"finalizers": ()})
            self._store(current.model_copy(update={"metadata": bare}))

    async def watch(self) -> AsyncGenerator[str, None]:
        told: asyncio.Queue[str] = asyncio.Queue()
        self._watchers.append(told)
        for name in dict.fromkeys(_owner(obj) for obj in self.stored.values()):
            told.put_nowait(name)
        try:
            while True:
                yield await told.get()
        finally:
            self._watchers.remove(told)

    def _write(self, obj: Object, status: ModelStatus | ModelVersionStatus) -> None:
        current = self.stored.get((obj.kind, obj.metadata.name))
        if (
            current is None
            or current.metadata.resource_version != obj.metadata.resource_version
            or current.metadata.uid != obj.metadata.uid
        ):
            raise Conflict(f"{obj.kind} {obj.metadata.name} was written since it was read")
        if current.status != status:
            self.writes += 1
            self._store(current.model_copy(update={"status": status}))

    def _store(self, obj: Object) -> Object:
        metadata = obj.metadata.model_copy(update={"resource_version": str(next(self._versions))})
        stored = obj.model_copy(update={"metadata": metadata})
        self.stored[obj.kind, obj.metadata.name] = stored
        self._tell(stored)
        return stored

    def _remove(self, obj: Object) -> None:
        del self.stored[obj.kind, obj.metadata.name]
        self._tell(obj)

    def _tell(self, obj: Object) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(_owner(obj))


@dataclass
class MemoryEvents:
    """``ports.Events``; ``seen`` holds (namespace, event)."""

    seen: list[tuple[str, EventRecord]] = field(default_factory=list)

    async def append(self, namespace: str, events: Sequence[EventRecord]) -> None:
        self.seen.extend((namespace, event) for event in events)

    def reasons(self, name: str) -> list[str]:
        return [str(event.reason) for _, event in self.seen if event.name == name]


@dataclass
class MemoryRuns:
    """``ports.Runs``; ``finish`` and ``fail`` end one. ``starts`` counts starts by name.

    ``auto`` gives the result of a run as soon as it is started.
    """

    auto: Callable[[DesiredRun], RunResult | None] | None = None
    runs: dict[str, dict[str, RunObservation]] = field(default_factory=dict)
    desired: dict[str, DesiredRun] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)

    async def observe(self, model: str) -> Mapping[str, RunObservation]:
        return dict(self.runs.get(model, {}))

    async def apply(self, model: str, desired: Sequence[DesiredRun]) -> None:
        mine = self.runs.setdefault(model, {})
        wanted = {run.name for run in desired}
        for name, run in mine.items():
            if name not in wanted and run.state is RunState.RUNNING:
                mine[name] = replace(run, state=RunState.FAILED, exit_code=EXIT_CHECKPOINTED)
        for want in desired:
            self.desired[want.name] = want
            self._start(mine, want)

    def finish(self, name: str, result: RunResult | None = None) -> None:
        """The run ends well; by default with an artifact whose digest is made of its name."""
        self._end(name, state=RunState.SUCCEEDED, exit_code=0, result=result or made(name))

    def fail(self, name: str, *, exit_code: int = 1, message: str = "") -> None:
        """The run ends badly; the platform starts it again up to its ``backoff_limit``."""
        self._end(name, state=RunState.FAILED, exit_code=exit_code, message=message)

    def _start(self, mine: dict[str, RunObservation], want: DesiredRun) -> None:
        old = mine.get(want.name)
        if old is not None and old.state in (RunState.RUNNING, RunState.SUCCEEDED):
            return
        restarts = 0
        if old is not None:
            again = 0 if old.exit_code == EXIT_CHECKPOINTED else 1
            restarts = old.restarts + again
            if restarts > want.backoff_limit:
                return
        self.starts[want.name] += 1
        mine[want.name] = RunObservation(name=want.name, state=RunState.RUNNING, restarts=restarts)
        result = self.auto(want) if self.auto is not None else None
        if result is not None:
            self.finish(want.name, result)

    def _end(self, name: str, **changes: Any) -> None:
        for mine in self.runs.values():
            if name in mine:
                mine[name] = replace(mine[name], **changes)
                return
        raise KeyError(f"no run {name}; there are {[*self.desired]}")


@dataclass
class MemoryBackends:
    """``ports.Backends``; ``ready`` and ``lose`` move one. ``builds`` counts creations by name."""

    auto_ready: bool = False
    backends: dict[str, dict[str, BackendObservation]] = field(default_factory=dict)
    desired: dict[str, DesiredBackend] = field(default_factory=dict)
    builds: Counter[str] = field(default_factory=Counter)

    async def observe(self, model: str) -> Mapping[str, BackendObservation]:
        return dict(self.backends.get(model, {}))

    async def apply(self, model: str, desired: Sequence[DesiredBackend]) -> None:
        mine = self.backends.setdefault(model, {})
        for name in set(mine) - {want.name for want in desired}:
            del mine[name]
        for want in desired:
            self.desired[want.name] = want
            if want.name not in mine:
                self.builds[want.name] += 1
                mine[want.name] = BackendObservation(
                    name=want.name,
                    state=BackendState.STARTING,
                    version=want.version,
                    artifact=want.artifact,
                    serving=want.serving,
                )
                if self.auto_ready:
                    self.ready(want.name)
            elif mine[want.name].state is BackendState.READY:
                mine[want.name] = replace(mine[want.name], ready_replicas=want.replicas)

    def ready(self, name: str) -> None:
        self.set(
            name,
            state=BackendState.READY,
            url=f"http://backend/{name}",
            ready_replicas=self.desired[name].replicas,
        )

    def set(self, name: str, **changes: Any) -> None:
        """Change what is observed of it, e.g. ``state``, ``reason``, ``message``."""
        for mine in self.backends.values():
            if name in mine:
                mine[name] = replace(mine[name], **changes)
                return
        raise KeyError(f"no backend {name}; there are {[*self.desired]}")


@dataclass
class MemoryRoutes:
    """``ports.Routes``. ``gateways``: live ones and the revision they apply; ``written``: all
    writes in order. With ``auto_apply`` every live gateway applies a write at once.
    """

    auto_apply: bool = True
    routes: dict[str, ModelRoute] = field(default_factory=dict)
    gateways: dict[str, int] = field(default_factory=lambda: {"gateway-0": 0})
    written: list[ModelRoute] = field(default_factory=list)
    _revisions: Any = field(default_factory=lambda: itertools.count(1))

    async def observe(self, model: str) -> RoutesObservation:
        route = self.routes.get(model)
        return RoutesObservation(
            revision=route.revision if route else 0,
            applied=min(self.gateways.values(), default=0),
            live_gateways=len(self.gateways),
            body_digest=route.digest() if route else "",
            stored=route,
        )

    async def apply(self, model: str, route: ModelRoute | None) -> None:
        if route is None:
            self.routes.pop(model, None)
            return
        old = self.routes.get(model)
        if old is not None and old.digest() == route.digest():
            return
        stored = route.model_copy(update={"revision": next(self._revisions)})
        self.routes[model] = stored
        self.written.append(stored)
        if self.auto_apply:
            self.confirm()

    def confirm(self, *gateways: str) -> None:
        """Those gateways (default: all live ones) apply everything that is written."""
        newest = max((route.revision for route in self.routes.values()), default=0)
        for name in gateways or tuple(self.gateways):
            self.gateways[name] = newest


@dataclass
class MemoryPlatform:
    """The five ports, by the names that ``reconcile.Platform`` has."""

    objects: MemoryObjects = field(default_factory=MemoryObjects)
    events: MemoryEvents = field(default_factory=MemoryEvents)
    runs: MemoryRuns = field(default_factory=MemoryRuns)
    backends: MemoryBackends = field(default_factory=MemoryBackends)
    routes: MemoryRoutes = field(default_factory=MemoryRoutes)


def made(name: str) -> RunResult:
    """A result with an artifact that a run of this name would have made."""
    import hashlib

    digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
    return RunResult(artifact=ArtifactRef(uri=f"file:///artifacts/{name}", digest=digest))


def _owner(obj: Object) -> str:
    return obj.metadata.name if isinstance(obj, Model) else obj.spec.model
