"""Eyes on the platform: routes, heartbeats, statuses and replicas, read over and over.

Fills the ``Sightings`` that the story waits on and the report is made of. Reads only; judges
nothing. A read that fails is tried again at the next turn: the platform may be restarting a part.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway_cli.demo.platform import DemoPlatform, ReplicaSeen
from slipway_cli.demo.timeline import RoutePoint, Timeline
from slipway_cli.resources import Kind
from slipway_contracts.conditions import Phase
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.route import ModelRoute
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE

logger = logging.getLogger(__name__)

ROUTES_SECONDS = 0.25
STATUS_SECONDS = 0.5
REPLICAS_SECONDS = 3.0


@dataclass(slots=True, kw_only=True)
class Sightings:
    """Everything that was seen so far. ``replicas``: backend → replicas ever running."""

    timeline: Timeline = field(default_factory=Timeline)
    model: Model | None = None
    versions: dict[str, ModelVersion] = field(default_factory=dict)
    phases: dict[str, list[Phase]] = field(default_factory=dict)
    replicas: dict[str, set[ReplicaSeen]] = field(default_factory=dict)

    def phase(self, version: str) -> Phase | None:
        """The version's phase, or None while it is not there."""
        found = self.versions.get(version)
        return None if found is None else found.status.phase


@dataclass(slots=True, kw_only=True)
class Watcher:
    """Three readers, each at its own pace. ``narrate(before, after)`` gets every status change."""

    pool: Pool
    model: str
    platform: DemoPlatform
    sightings: Sightings
    narrate: Callable[[ModelVersion | None, ModelVersion], None]
    narrate_route: Callable[[RoutePoint], None]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._routes())
            group.create_task(self._statuses())
            group.create_task(self._replicas())

    async def _routes(self) -> None:
        while True:
            try:
                await self.read_routes()
            except UNAVAILABLE as error:
                logger.info("routes cannot be read now: %s", error)
            await asyncio.sleep(ROUTES_SECONDS)

    async def read_routes(self) -> None:
        """One look at the Model's route and at every gateway's heartbeat."""
        timeline = self.sightings.timeline
        row = await self.pool.fetchrow(
            "SELECT revision, body, extract(epoch FROM written_at)::float8 AS at "
            "FROM routes WHERE model = $1",
            self.model,
        )
        if row is not None:
            point = _point(ModelRoute.model_validate(row["body"]), row["revision"], row["at"])
            if timeline.add_route(point):
                self.narrate_route(point)
        for beat in await self.pool.fetch(
            "SELECT gateway, revision, extract(epoch FROM at)::float8 AS at FROM gateways"
        ):
            timeline.add_heartbeat(beat["gateway"], revision=beat["revision"], at=beat["at"])

    async def _statuses(self) -> None:
        while True:
            try:
                self._see(await self.platform.objects())
            except self.platform.away as error:
                logger.info("statuses cannot be read now: %s", error)
            await asyncio.sleep(STATUS_SECONDS)

    def _see(self, objects: Sequence[Mapping[str, Any]]) -> None:
        for body in objects:
            if body["kind"] == Kind.MODEL:
                self._see_model(Model.model_validate(body))
            else:
                self._see_version(ModelVersion.model_validate(body))

    def _see_model(self, model: Model) -> None:
        if model.metadata.name == self.model:
            self.sightings.model = model

    def _see_version(self, after: ModelVersion) -> None:
        seen, name = self.sightings, after.metadata.name
        before = seen.versions.get(name)
        if after.spec.model != self.model or after == before:
            return
        seen.versions[name] = after
        phases = seen.phases.setdefault(name, [])
        if not phases or phases[-1] != after.status.phase:
            phases.append(after.status.phase)
        self.narrate(before, after)

    async def _replicas(self) -> None:
        while True:
            try:
                for backend, replicas in (await self.platform.replicas()).items():
                    self.sightings.replicas.setdefault(backend, set()).update(replicas)
            except self.platform.away as error:
                logger.info("replicas cannot be read now: %s", error)
            await asyncio.sleep(REPLICAS_SECONDS)


def _point(route: ModelRoute, revision: int, at: float) -> RoutePoint:
    return RoutePoint(
        at=at,
        revision=revision,
        weights={backend.version: backend.weight for backend in route.backends},
        roles={backend.version: backend.role for backend in route.backends},
        shadow=route.shadow.version if route.shadow is not None else None,
    )
