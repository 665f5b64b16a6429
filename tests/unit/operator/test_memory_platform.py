"""The in-memory platform keeps the ports' promises, so unit tests may believe it."""

from __future__ import annotations

from typing import Any

import pytest
from memory_platform import MemoryPlatform, MemoryRoutes
from platform_contract import EventsContract, ObjectsContract, RoutesContract

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion, RandomSource
from slipway_contracts.serving import Serving
from slipway_contracts.training import EXIT_CHECKPOINTED
from slipway_operator.core.decision import DesiredBackend, DesiredRun, ImportRequest
from slipway_operator.core.snapshot import BackendState, RunState


class MemoryWorld(MemoryPlatform):
    async def create(self, obj: Model | ModelVersion) -> None:
        self.objects.create(obj)

    async def change(self, kind: str, name: str, **fields: Any) -> None:
        self.objects.change(kind, name, **fields)

    async def delete(self, kind: str, name: str) -> None:
        self.objects.delete(kind, name)

    async def told(self) -> list[tuple[str, str, str]]:
        return [(event.name, event.type, str(event.reason)) for _, event in self.events.seen]

    async def beat(self, gateway: str, revision: int) -> None:
        self.routes.gateways[gateway] = revision


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(routes=MemoryRoutes(gateways={}))


class TestMemoryObjects(ObjectsContract):
    pass


class TestMemoryEvents(EventsContract):
    pass


class TestMemoryRoutes(RoutesContract):
    pass


def a_run(name: str = "v1-train") -> DesiredRun:
    return DesiredRun(
        name=name, version="v1", request=ImportRequest(source=RandomSource()), backoff_limit=1
    )


def a_backend(name: str = "v1", replicas: int = 1) -> DesiredBackend:
    artifact = ArtifactRef(uri="file:///a", digest="sha256:" + "0" * 64)
    return DesiredBackend(
        name=name,
        version="v1",
        model="tiny",
        artifact=artifact,
        serving=Serving(),
        replicas=replicas,
    )


async def test_a_run_starts_once_and_again_up_to_its_limit(world: MemoryWorld) -> None:
    for _ in range(2):
        await world.runs.apply("tiny", [a_run()])
    assert world.runs.starts == {"v1-train": 1}
    for _ in range(3):
        world.runs.fail("v1-train")
        await world.runs.apply("tiny", [a_run()])
    seen = (await world.runs.observe("tiny"))["v1-train"]
    assert world.runs.starts == {"v1-train": 2}
    assert (seen.state, seen.restarts, seen.exit_code) == (RunState.FAILED, 1, 1)


async def test_a_run_that_is_not_wanted_stops_and_keeps_its_record(world: MemoryWorld) -> None:
    await world.runs.apply("tiny", [a_run()])
    await world.runs.apply("tiny", [])
    assert (await world.runs.observe("tiny"))["v1-train"].exit_code == EXIT_CHECKPOINTED
    await world.runs.apply("tiny", [a_run()])
    world.runs.finish("v1-train")
    await world.runs.apply("tiny", [a_run()])
    seen = (await world.runs.observe("tiny"))["v1-train"]
    assert seen.state is RunState.SUCCEEDED
    assert seen.result is not None
    assert await world.runs.observe("other") == {}


async def test_a_backend_is_built_once_and_goes_when_it_is_not_listed(world: MemoryWorld) -> None:
    await world.backends.apply("tiny", [a_backend()])
    assert (await world.backends.observe("tiny"))["v1"].state is BackendState.STARTING
    world.backends.ready("v1")
    await world.backends.apply("tiny", [a_backend(replicas=3)])
    seen = (await world.backends.observe("tiny"))["v1"]
    assert (seen.state, seen.ready_replicas) == (BackendState.READY, 3)
    assert world.backends.builds == {"v1": 1}
    await world.backends.apply("tiny", [])
    assert await world.backends.observe("tiny") == {}
