"""Eyes on the platform: routes, heartbeats, statuses and Serve's applications, read over and over.

Fills the ``Sightings`` that the story waits on and the report is made of. Reads only; judges
nothing. A read that fails is tried again at the next turn: the platform may be restarting a part.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from slipway_cli.demo.serve import ReplicaSeen, replicas_of
from slipway_cli.demo.timeline import RoutePoint, Timeline
from slipway_contracts.conditions import Phase
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.route import ModelRoute
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE
from slipway_store.objects import ObjectStore

logger = logging.getLogger(__name__)

ROUTES_SECONDS = 0.25
STATUS_SECONDS = 0.5
SERVE_SECONDS = 3.0


@dataclass(slots=True, kw_only=True)
class Sightings:
    """Everything that was seen so far. ``replicas``: Serve application → replicas ever running."""

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
    dashboard_url: str
    dashboard_headers: Mapping[str, str]
    sightings: Sightings
    narrate: Callable[[ModelVersion | None, ModelVersion], None]
    narrate_route: Callable[[RoutePoint], None]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._routes())
            group.create_task(self._statuses())
            group.create_task(self._serve())

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
        store = ObjectStore(self.pool)
        while True:
            try:
                await self._read_statuses(store)
            except UNAVAILABLE as error:
                logger.info("statuses cannot be read now: %s", error)
            await asyncio.sleep(STATUS_SECONDS)

    async def _read_statuses(self, store: ObjectStore) -> None:
        seen = self.sightings
        for body in await store.list("Model"):
            if body["metadata"]["name"] == self.model:
                seen.model = Model.model_validate(body)
        for body in await store.list("ModelVersion"):
            after = ModelVersion.model_validate(body)
            name = after.metadata.name
            before = seen.versions.get(name)
            if after.spec.model != self.model or after == before:
                continue
            seen.versions[name] = after
            phases = seen.phases.setdefault(name, [])
            if not phases or phases[-1] != after.status.phase:
                phases.append(after.status.phase)
            self.narrate(before, after)

    async def _serve(self) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(
            timeout=timeout, headers=dict(self.dashboard_headers)
        ) as session:
            while True:
                try:
                    await self._read_serve(session)
                except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
                    logger.info("Serve's applications cannot be read now: %s", error)
                await asyncio.sleep(SERVE_SECONDS)

    async def _read_serve(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self.dashboard_url}/api/serve/applications/") as response:
            response.raise_for_status()
            body = await response.json(content_type=None)
        for application, replicas in replicas_of(body).items():
            self.sightings.replicas.setdefault(application, set()).update(replicas)


def _point(route: ModelRoute, revision: int, at: float) -> RoutePoint:
    return RoutePoint(
        at=at,
        revision=revision,
        weights={backend.version: backend.weight for backend in route.backends},
        roles={backend.version: backend.role for backend in route.backends},
        shadow=route.shadow.version if route.shadow is not None else None,
    )
