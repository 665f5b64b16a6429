"""The operator dies after every single write of a whole life, and another one starts.

Lives side by side: in one every operator gets a single write and dies before its answer comes, so
each write is a boundary; in the others operators get 2, 3, 5 or 8, so that a pass is also cut in
its middle. All end as the undisturbed life, and no run was made twice. With SLIPWAY_SOAK=1 there is
also a life for each boundary, in which only the first operator dies.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from children_world import CONFIG
from creations import creations
from full_life import Ending, ending_of, live, until_holds, version_of
from kubernetes_world import KubernetesWorld, kubernetes_world
from memory_platform import MemoryRoutes
from mortal import Boundaries, MortalApi, MortalRoutes
from operator_parts import Outside, operating
from scripted_cluster import ScriptedCluster
from shared_watch import SharedCache

from slipway_cluster.controlplane import ControlPlane
from slipway_operator.platforms.kubernetes.kinds import CONFIG_MAPS

WRITES_EACH = (1, 2, 3, 5, 8)
SIDE_BY_SIDE = 16
# Timing moves a status write or two from life to life: the last boundaries may not be reached.
SLACK = 12


@dataclass(kw_only=True)
class Lives:
    """One namespace in which many Models live, each with its own operators."""

    world: KubernetesWorld
    shared: SharedCache
    service_url: str
    deaths: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)

    async def of(self, model: str, *, last: int | None = None, always: bool = False) -> Ending:
        """A whole life. ``last``: the write after which the first operator dies, or all do."""
        verdicts = {version_of(model, 3): "Fail"}
        routes = MemoryRoutes()
        life = asyncio.create_task(live(self.world.person, self.shared, model))
        try:
            while not life.done():
                boundaries = Boundaries(last if always or model not in self.deaths else None)
                outside = Outside(
                    service_url=self.service_url,
                    routes=MortalRoutes(routes, boundaries),
                    verdicts=verdicts,
                )
                await self._operator(model, outside, boundaries, life)
                self.writes[model] = self.writes.get(model, 0) + boundaries.count
            await life
        finally:
            life.cancel()
        return ending_of(self.shared, model)

    async def _operator(
        self, model: str, outside: Outside, boundaries: Boundaries, life: asyncio.Task[None]
    ) -> None:
        """Until it dies or the life is over."""
        api = MortalApi(self.world.api, boundaries)
        with self.shared.attached(model) as cache:
            async with operating(api, cache, outside):
                died = asyncio.create_task(boundaries.dead.wait())
                await asyncio.wait((died, life), return_when=asyncio.FIRST_COMPLETED)
                died.cancel()
        if boundaries.dead.is_set():
            self.deaths[model] = self.deaths.get(model, 0) + 1


@pytest.fixture
async def lives(plane: ControlPlane, namespace: str, outside: Outside) -> AsyncIterator[Lives]:
    shared = SharedCache()
    async with kubernetes_world(plane, namespace, cache=shared) as world:
        world.person.create(CONFIG_MAPS, {"metadata": {"name": CONFIG.anchor}})
        async with ScriptedCluster(world.api, shared).playing():
            yield Lives(world=world, shared=shared, service_url=outside.service_url)


async def test_operators_that_die_after_so_many_writes(
    plane: ControlPlane, namespace: str, lives: Lives
) -> None:
    await asyncio.gather(
        lives.of("whole"),
        *(lives.of(f"every{count}", last=count, always=True) for count in WRITES_EACH),
    )
    whole = ending_of(lives.shared, "whole")
    assert whole.phases == {"v1": "Superseded", "v2": "Serving", "v3": "RolledBack"}
    for count in WRITES_EACH:
        await _ends_as(lives, f"every{count}", whole)
    for count in WRITES_EACH:
        assert lives.deaths[f"every{count}"] >= lives.writes["whole"] // (4 * count)
    _nothing_twice(plane, namespace)


@pytest.mark.timeout(3600)
@pytest.mark.skipif("SLIPWAY_SOAK" not in os.environ, reason="a long campaign; SLIPWAY_SOAK=1")
async def test_one_death_at_each_boundary(
    plane: ControlPlane, namespace: str, lives: Lives
) -> None:
    whole = await lives.of("whole")
    count = lives.writes["whole"]
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(number: int) -> Ending:
        async with room:
            return await lives.of(f"m{number}", last=number)

    endings = await asyncio.gather(*(one(number) for number in range(1, count + 1)))
    assert len(endings) == count
    for number in range(1, count + 1):
        await _ends_as(lives, f"m{number}", whole)
    assert {f"m{number}" for number in range(1, count + 1 - SLACK)} <= set(lives.deaths)
    _nothing_twice(plane, namespace)


async def _ends_as(lives: Lives, model: str, whole: Ending) -> None:
    """What the garbage collector still has to take is waited for."""
    with suppress(TimeoutError):
        await until_holds(lambda: ending_of(lives.shared, model) == whole, seconds=60)
    found = ending_of(lives.shared, model)
    assert found.phases == whole.phases
    for version, wanted in whole.conditions.items():
        assert set(found.conditions[version].items()) ^ set(wanted.items()) == set()
    assert found.children == whole.children


def _nothing_twice(plane: ControlPlane, namespace: str) -> None:
    made = creations(plane, namespace)
    assert made
    assert {key: times for key, times in made.items() if times > 1} == {}
