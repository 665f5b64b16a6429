"""Local mode's objects, events and routes keep the ports' promises, on real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from platform_contract import (
    EventsContract,
    ObjectsContract,
    RoutesContract,
    a_model,
    a_route,
    a_version,
)

from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.route import GuardTrip, Heartbeat
from slipway_operator.errors import Terminal, Transient
from slipway_operator.platforms.local.objects import LocalEvents, LocalObjects
from slipway_operator.platforms.routes import PostgresRoutes, watch_guard
from slipway_store.connect import Pool, open_pool
from slipway_store.events import list_events
from slipway_store.objects import ObjectStore
from slipway_store.routes import heartbeat, trip_guard


class LocalWorld:
    def __init__(self, pool: Pool, dsn: str) -> None:
        self.pool = pool
        self.store = ObjectStore(pool)
        self.objects = LocalObjects(pool, dsn)
        self.events = LocalEvents(pool)
        self.routes = PostgresRoutes(pool)

    async def create(self, obj: Model | ModelVersion) -> None:
        metadata = obj.metadata
        await self.store.create(
            obj.kind, metadata.name, obj.spec.wire(), finalizers=metadata.finalizers
        )

    async def change(self, kind: str, name: str, **fields: Any) -> None:
        old = await self.store.get(kind, name)
        await self.store.update_spec(kind, name, old["spec"] | fields)

    async def delete(self, kind: str, name: str) -> None:
        await self.store.delete(kind, name)

    async def told(self) -> list[tuple[str, str, str]]:
        return [(event.name, event.type, event.reason) for event in await list_events(self.pool)]

    async def beat(self, gateway: str, revision: int) -> None:
        now = datetime.now(UTC)
        await heartbeat(
            self.pool, Heartbeat(gateway=gateway, revision=revision, watermark=now, at=now)
        )


@pytest.fixture
async def world(dsn: str) -> AsyncIterator[LocalWorld]:
    pool = await open_pool(dsn)
    yield LocalWorld(pool, dsn)
    await pool.close()


class TestLocalObjects(ObjectsContract):
    pass


class TestLocalEvents(EventsContract):
    pass


class TestLocalRoutes(RoutesContract):
    pass


async def test_a_stored_object_that_is_not_valid_is_terminal(world: LocalWorld) -> None:
    await world.store.create("Model", "tiny", {"task": "knitting"})
    with pytest.raises(Terminal, match="task"):
        await world.objects.read("tiny")


async def test_another_namespace_is_not_ours(world: LocalWorld) -> None:
    await world.store.create("Model", "tiny", {}, namespace="elsewhere")
    assert await world.objects.read("tiny") == (None, ())
    names = world.objects.watch()
    await world.create(a_model("ours"))
    async with asyncio.timeout(30):
        assert await anext(names) == "ours"
    await names.aclose()


async def test_text_that_postgresql_cannot_hold_is_terminal(world: LocalWorld) -> None:
    await world.create(a_version())
    _, (version,) = await world.objects.read("tiny")
    with pytest.raises(Terminal, match="NUL"):
        await world.objects.write_version_status(
            version, version.status.model_copy(update={"backend": "a\0b"})
        )


async def test_a_database_that_does_not_answer_is_transient(world: LocalWorld) -> None:
    await world.create(a_model())
    model, _ = await world.objects.read("tiny")
    assert model is not None
    await world.pool.close()
    with pytest.raises(Transient):
        await world.objects.read("tiny")
    with pytest.raises(Transient):
        await world.objects.write_model_status(model, ModelStatus(stable="v1"))
    with pytest.raises(Transient):
        await world.objects.release(model)
    with pytest.raises(Transient):
        await world.routes.observe("tiny")
    with pytest.raises(Transient):
        await world.routes.apply("tiny", a_route())


async def test_a_tripped_guard_wakes_its_model(world: LocalWorld, dsn: str) -> None:
    names = watch_guard(dsn)
    told = asyncio.create_task(anext(names))
    trip = GuardTrip(
        model="tiny",
        rollout_id="r",
        gateway="g",
        candidate_requests=20,
        candidate_bad=15,
        at=datetime.now(UTC),
    )
    async with asyncio.timeout(30):
        number = 0
        while not told.done():  # until LISTEN is in place
            number += 1
            await trip_guard(world.pool, trip.model_copy(update={"gateway": f"g{number}"}))
            await asyncio.wait([told], timeout=0.1)
    assert await told == "tiny"
    await names.aclose()  # type: ignore[attr-defined]
