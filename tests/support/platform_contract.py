"""What every platform's objects, events and routes must do: one suite, inherited per platform.

A test class derives from ``ObjectsContract``, ``EventsContract`` or ``RoutesContract`` and has a
fixture ``world``: the ports, and what a person and a gateway do around them.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import pytest

from slipway_contracts.base import ObjectMeta
from slipway_contracts.conditions import Reason
from slipway_contracts.model import Model, ModelSpec, ModelStatus
from slipway_contracts.model_version import (
    ModelVersion,
    ModelVersionSpec,
    ModelVersionStatus,
    RandomSource,
    Source,
)
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Conflict
from slipway_operator.ports import Events, Objects, Routes

FINALIZER = "slipway.dev/drain"


class World(Protocol):
    objects: Objects
    events: Events
    routes: Routes

    async def create(self, obj: Model | ModelVersion) -> None: ...

    async def change(self, kind: str, name: str, **fields: Any) -> None: ...

    async def delete(self, kind: str, name: str) -> None: ...

    async def told(self) -> list[tuple[str, str, str]]:
        """(name, type, reason) of all events in order."""
        ...

    async def beat(self, gateway: str, revision: int) -> None: ...


def a_model(name: str = "tiny") -> Model:
    return Model(metadata=ObjectMeta(name=name, finalizers=(FINALIZER,)))


def a_version(name: str = "v1", model: str = "tiny") -> ModelVersion:
    return ModelVersion(
        metadata=ObjectMeta(name=name, finalizers=(FINALIZER,)),
        spec=ModelVersionSpec(model=model, source=Source(random=RandomSource())),
    )


def a_route(model: str = "tiny", weight: int = 100) -> ModelRoute:
    backends = [BackendRoute(version="v1", weight=weight, url="http://b/v1")]
    if weight < 100:
        backends.append(BackendRoute(version="v2", weight=100 - weight, url="http://b/v2"))
    return ModelRoute(model=model, salt="uid", backends=tuple(backends))


async def next_of(names: Any, wanted: str) -> None:
    """Until the watch has told ``wanted``."""
    async with asyncio.timeout(30):
        while await anext(names) != wanted:
            pass


class ObjectsContract:
    async def test_what_was_created_is_read_with_its_metadata(self, world: World) -> None:
        await world.create(a_model())
        await world.create(a_version("v1"))
        await world.create(a_version("v2"))
        await world.create(a_version("x", model="other"))
        model, versions = await world.objects.read("tiny")
        assert model is not None
        assert [v.metadata.name for v in versions] == ["v1", "v2"]
        assert model.metadata.generation == 1
        assert model.metadata.finalizers == (FINALIZER,)
        assert model.metadata.creation_timestamp is not None
        uids = {model.metadata.uid, *(v.metadata.uid for v in versions)}
        assert "" not in uids
        assert len(uids) == 3

    async def test_an_unknown_model_is_none_and_may_have_versions(self, world: World) -> None:
        assert await world.objects.read("tiny") == (None, ())
        await world.create(a_version())
        model, versions = await world.objects.read("tiny")
        assert model is None
        assert len(versions) == 1

    async def test_a_status_is_read_back_and_does_not_raise_the_generation(
        self, world: World
    ) -> None:
        await world.create(a_model())
        await world.create(a_version())
        model, (version,) = await world.objects.read("tiny")
        assert model is not None
        await world.objects.write_model_status(model, ModelStatus(stable="v1"))
        await world.objects.write_version_status(version, ModelVersionStatus(attempt="abc"))
        model, (version,) = await world.objects.read("tiny")
        assert model is not None
        assert model.status == ModelStatus(stable="v1")
        assert version.status == ModelVersionStatus(attempt="abc")
        assert model.metadata.generation == version.metadata.generation == 1

    async def test_of_two_writers_the_second_has_a_conflict(self, world: World) -> None:
        await world.create(a_model())
        model, _ = await world.objects.read("tiny")
        assert model is not None
        await world.objects.write_model_status(model, ModelStatus(stable="v1"))
        with pytest.raises(Conflict):
            await world.objects.write_model_status(model, ModelStatus(stable="v2"))
        again, _ = await world.objects.read("tiny")
        assert again is not None
        assert again.status.stable == "v1"
        await world.objects.write_model_status(again, ModelStatus(stable="v2"))

    async def test_a_status_after_the_spec_changed_is_a_conflict(self, world: World) -> None:
        await world.create(a_model())
        model, _ = await world.objects.read("tiny")
        assert model is not None
        await world.change("Model", "tiny", default=True)
        with pytest.raises(Conflict):
            await world.objects.write_model_status(model, ModelStatus(stable="v1"))
        again, _ = await world.objects.read("tiny")
        assert again is not None
        assert again.metadata.generation == 2
        assert again.spec == ModelSpec(default=True)

    async def test_an_equal_status_writes_nothing(self, world: World) -> None:
        await world.create(a_model())
        model, _ = await world.objects.read("tiny")
        assert model is not None
        await world.objects.write_model_status(model, ModelStatus(stable="v1"))
        first, _ = await world.objects.read("tiny")
        assert first is not None
        await world.objects.write_model_status(first, ModelStatus(stable="v1"))
        second, _ = await world.objects.read("tiny")
        assert second == first

    async def test_a_deleted_object_stays_until_it_is_released(self, world: World) -> None:
        await world.create(a_version())
        await world.delete("ModelVersion", "v1")
        await world.delete("ModelVersion", "v1")
        _, (version,) = await world.objects.read("tiny")
        assert version.metadata.deletion_timestamp is not None
        await world.objects.release(version)
        await world.objects.release(version)
        assert await world.objects.read("tiny") == (None, ())

    async def test_release_before_deletion_takes_the_finalizers_off(self, world: World) -> None:
        await world.create(a_version())
        _, (version,) = await world.objects.read("tiny")
        await world.objects.release(version)
        _, (bare,) = await world.objects.read("tiny")
        assert bare.metadata.finalizers == ()
        await world.delete("ModelVersion", "v1")
        assert await world.objects.read("tiny") == (None, ())

    async def test_an_old_release_leaves_a_new_object_of_that_name(self, world: World) -> None:
        await world.create(a_version())
        await world.delete("ModelVersion", "v1")
        _, (old,) = await world.objects.read("tiny")
        await world.objects.release(old)
        await world.create(a_version())
        await world.objects.release(old)
        with pytest.raises(Conflict):
            await world.objects.write_version_status(old, ModelVersionStatus(attempt="abc"))
        _, (new,) = await world.objects.read("tiny")
        assert new.metadata.uid != old.metadata.uid
        assert new.metadata.finalizers == (FINALIZER,)

    async def test_a_status_of_a_deleted_object_is_a_conflict(self, world: World) -> None:
        await world.create(a_model())
        model, _ = await world.objects.read("tiny")
        assert model is not None
        await world.objects.release(model)
        await world.delete("Model", "tiny")
        with pytest.raises(Conflict):
            await world.objects.write_model_status(model, ModelStatus(stable="v1"))

    async def test_watch_tells_all_at_the_start_and_then_each_change(self, world: World) -> None:
        await world.create(a_model("one"))
        await world.create(a_version("v1", model="two"))
        names = world.objects.watch()
        async with asyncio.timeout(30):
            told = {await anext(names), await anext(names)}
        assert told == {"one", "two"}
        await world.create(a_model("three"))
        await next_of(names, "three")
        await world.change("Model", "one", default=True)
        await next_of(names, "one")
        await world.delete("ModelVersion", "v1")
        await next_of(names, "two")
        _, (version,) = await world.objects.read("two")
        await world.objects.release(version)
        await next_of(names, "two")
        await names.aclose()  # type: ignore[attr-defined]

    async def test_a_status_write_wakes_the_watch(self, world: World) -> None:
        await world.create(a_model())
        names = world.objects.watch()
        await next_of(names, "tiny")
        model, _ = await world.objects.read("tiny")
        assert model is not None
        await world.objects.write_model_status(model, ModelStatus(stable="v1"))
        await next_of(names, "tiny")
        await names.aclose()  # type: ignore[attr-defined]


class EventsContract:
    async def test_events_keep_their_order(self, world: World) -> None:
        events = [
            EventRecord(kind="Model", name="tiny", type="Normal", reason=reason, message=str(n))
            for n, reason in enumerate([Reason.ACCEPTED, Reason.STARTING, Reason.PROMOTED])
        ]
        await world.events.append("default", events[:2])
        await world.events.append("default", events[2:])
        await world.events.append("default", [])
        assert await world.told() == [
            ("tiny", "Normal", "Accepted"),
            ("tiny", "Normal", "Starting"),
            ("tiny", "Normal", "Promoted"),
        ]


class RoutesContract:
    async def test_nothing_stored(self, world: World) -> None:
        seen = await world.routes.observe("tiny")
        assert (seen.revision, seen.body_digest, seen.stored) == (0, "", None)

    async def test_only_a_different_body_is_a_new_revision(self, world: World) -> None:
        await world.routes.apply("tiny", a_route())
        first = await world.routes.observe("tiny")
        await world.routes.apply("tiny", a_route())
        await world.routes.apply("tiny", a_route().model_copy(update={"revision": 99}))
        assert (await world.routes.observe("tiny")).revision == first.revision > 0
        await world.routes.apply("tiny", a_route(weight=90))
        second = await world.routes.observe("tiny")
        assert second.revision > first.revision
        assert second.body_digest == a_route(weight=90).digest() != first.body_digest
        assert second.stored == a_route(weight=90).model_copy(update={"revision": second.revision})

    async def test_revisions_rise_over_all_models(self, world: World) -> None:
        await world.routes.apply("one", a_route("one"))
        await world.routes.apply("two", a_route("two"))
        one, two = await world.routes.observe("one"), await world.routes.observe("two")
        assert two.revision > one.revision

    async def test_a_deleted_route_is_gone_and_comes_back_newer(self, world: World) -> None:
        await world.routes.apply("tiny", a_route())
        before = await world.routes.observe("tiny")
        await world.routes.apply("tiny", None)
        await world.routes.apply("tiny", None)
        assert (await world.routes.observe("tiny")).stored is None
        await world.routes.apply("tiny", a_route())
        assert (await world.routes.observe("tiny")).revision > before.revision

    async def test_applied_is_the_lowest_of_the_live_gateways(self, world: World) -> None:
        await world.routes.apply("tiny", a_route())
        revision = (await world.routes.observe("tiny")).revision
        await world.beat("a", revision)
        await world.beat("b", revision - 1)
        seen = await world.routes.observe("tiny")
        assert (seen.applied, seen.live_gateways) == (revision - 1, 2)
        await world.beat("b", revision)
        assert (await world.routes.observe("tiny")).applied == revision

    async def test_without_a_live_gateway_nothing_is_applied(self, world: World) -> None:
        await world.routes.apply("tiny", a_route())
        seen = await world.routes.observe("tiny")
        assert (seen.applied, seen.live_gateways) == (0, 0)
