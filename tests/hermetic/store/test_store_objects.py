"""Objects: the API server's rules on rows."""

from __future__ import annotations

import asyncio

import pytest

from slipway_contracts.model import Model
from slipway_store.connect import Pool
from slipway_store.errors import AlreadyExists, Conflict, InvalidValue, NotFound
from slipway_store.objects import ObjectStore


@pytest.fixture
def store(pool: Pool) -> ObjectStore:
    return ObjectStore(pool)


async def test_a_created_object_is_a_valid_model(store: ObjectStore) -> None:
    wire = await store.create(
        "Model", "tiny", {"default": True}, labels={"a": "b"}, annotations={"c": "d"}
    )
    assert wire == await store.get("Model", "tiny")
    model = Model.model_validate(wire)
    assert model.spec.default
    assert model.metadata.labels == {"a": "b"}
    assert model.metadata.annotations == {"c": "d"}
    assert len(model.metadata.uid) == 36
    assert model.metadata.deletion_timestamp is None


async def test_a_name_is_taken_per_kind_and_namespace(store: ObjectStore) -> None:
    await store.create("Model", "tiny", {})
    with pytest.raises(AlreadyExists, match="choose another name"):
        await store.create("Model", "tiny", {})
    await store.create("Model", "tiny", {}, namespace="other")
    await store.create("ModelVersion", "tiny", {})
    assert len(await store.list("Model")) == 2
    assert len(await store.list("Model", namespace="other")) == 1


async def test_what_is_not_there(store: ObjectStore) -> None:
    for call in (
        store.get("Model", "x"),
        store.update_spec("Model", "x", {}),
        store.update_status("Model", "x", {}, resource_version="1"),
        store.delete("Model", "x"),
    ):
        with pytest.raises(NotFound):
            await call
    assert await store.release("Model", "x")
    assert await store.list("Model") == []


async def test_the_generation_rises_only_with_the_spec(store: ObjectStore) -> None:
    first = (await store.create("Model", "tiny", {"a": 1}))["metadata"]
    same = (await store.update_spec("Model", "tiny", {"a": 1}))["metadata"]
    assert same == first
    spec = (await store.update_spec("Model", "tiny", {"a": 2}))["metadata"]
    assert spec["generation"] == 2
    labels = (await store.update_spec("Model", "tiny", {"a": 2}, labels={"x": "y"}))["metadata"]
    assert labels["generation"] == 2
    assert labels["labels"] == {"x": "y"}
    kept = (await store.update_spec("Model", "tiny", {"a": 3}))["metadata"]
    assert kept["labels"] == {"x": "y"}
    status = (
        await store.update_status(
            "Model", "tiny", {"z": 1}, resource_version=kept["resourceVersion"]
        )
    )["metadata"]
    assert status["generation"] == kept["generation"] == 3
    versions = [int(m["resourceVersion"]) for m in (first, spec, labels, kept, status)]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("stale", ["0", "", "not a number", "99999999999999999999"])
async def test_a_wrong_resource_version_is_a_conflict(store: ObjectStore, stale: str) -> None:
    await store.create("Model", "tiny", {})
    with pytest.raises(Conflict, match="read it again"):
        await store.update_spec("Model", "tiny", {"a": 1}, resource_version=stale)
    with pytest.raises(Conflict):
        await store.update_status("Model", "tiny", {"a": 1}, resource_version=stale)


async def test_of_many_writers_at_once_one_wins(store: ObjectStore) -> None:
    version = (await store.create("Model", "tiny", {}))["metadata"]["resourceVersion"]
    done = await asyncio.gather(
        *(
            store.update_status("Model", "tiny", {"by": n}, resource_version=version)
            for n in range(10)
        ),
        return_exceptions=True,
    )
    won = [result for result in done if isinstance(result, dict)]
    assert len(won) == 1
    assert sum(isinstance(result, Conflict) for result in done) == 9
    assert await store.get("Model", "tiny") == won[0]


async def test_spec_and_status_writers_do_not_lose_each_other(store: ObjectStore) -> None:
    await store.create("Model", "tiny", {"n": 0})

    async def write_status(n: int) -> None:
        while True:
            read = await store.get("Model", "tiny")
            seen = read["status"].get("seen", [])
            try:
                await store.update_status(
                    "Model",
                    "tiny",
                    {"seen": [*seen, n]},
                    resource_version=read["metadata"]["resourceVersion"],
                )
            except Conflict:
                continue
            return

    await asyncio.gather(
        *(write_status(n) for n in range(8)),
        *(store.update_spec("Model", "tiny", {"n": n}) for n in range(1, 9)),
    )
    final = await store.get("Model", "tiny")
    assert sorted(final["status"]["seen"]) == list(range(8))
    assert final["metadata"]["generation"] == 9


async def test_deletion_waits_for_finalizers(store: ObjectStore) -> None:
    made = await store.create("Model", "tiny", {}, finalizers=["slipway.dev/drain"])
    assert not await store.delete("Model", "tiny")
    marked = await store.get("Model", "tiny")
    assert not await store.delete("Model", "tiny")
    assert await store.get("Model", "tiny") == marked
    assert marked["metadata"]["deletionTimestamp"]
    assert await store.release("Model", "tiny", uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await store.get("Model", "tiny")
    await store.create("Model", "tiny", {})
    assert await store.delete("Model", "tiny")


async def test_uid_protects_a_later_object_of_the_same_name(store: ObjectStore) -> None:
    old = (await store.create("Model", "tiny", {}))["metadata"]["uid"]
    await store.delete("Model", "tiny")
    await store.create("Model", "tiny", {}, finalizers=["f"])
    with pytest.raises(Conflict, match="was replaced"):
        await store.delete("Model", "tiny", uid=old)
    assert await store.release("Model", "tiny", uid=old)
    assert (await store.get("Model", "tiny"))["metadata"]["finalizers"] == ["f"]


async def test_unicode_survives_and_nul_is_refused(store: ObjectStore) -> None:
    text = "Привет, 世界 🚀 \\u0000 \x01"
    await store.create("Model", "tiny", {"systemPrompt": text})
    assert (await store.get("Model", "tiny"))["spec"]["systemPrompt"] == text
    for bad in ({"a": "x\0y"}, {"a\0": 1}, {"a": "\ud800"}, {"a": float("nan")}):
        with pytest.raises(InvalidValue, match="NUL"):
            await store.update_spec("Model", "tiny", bad)
