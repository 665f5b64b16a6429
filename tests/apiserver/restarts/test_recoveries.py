"""What people and clusters do to a Model that serves: each ends right, nothing sticks."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest
from creations import creations
from full_life import MODEL_SPEC, apply_version, backends_of, until, until_holds
from kubernetes_world import KubernetesWorld
from operator_parts import Outside, operating
from scripted_cluster import ScriptedCluster

from slipway_cluster.controlplane import ControlPlane
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    JOBS,
    MODEL_VERSIONS,
    MODELS,
    PODS,
    RAY_SERVICES,
    Body,
    Kind,
    name_of,
    uid_of,
)

MODEL = "chat"


@pytest.fixture
async def serving(
    world: KubernetesWorld, cluster: ScriptedCluster, outside: Outside
) -> AsyncIterator[KubernetesWorld]:
    """An operator, and a Model whose first version serves."""
    async with operating(world.api, world.cache, outside):
        world.person.create(MODELS, {"metadata": {"name": MODEL}, "spec": MODEL_SPEC})
        apply_version(world.person, MODEL, "v1")
        await until(world.cache, {"v1": "Serving"})
        await until_holds(lambda: _stable(world) == "v1", what="the Model says so")
        yield world


def _stable(world: KubernetesWorld) -> str:
    return str(((world.cache.get(MODELS, MODEL) or {}).get("status") or {}).get("stable", ""))


def _backend(world: KubernetesWorld) -> Body:
    [found] = world.cache.of_model(RAY_SERVICES, MODEL)
    return found


def _uids(world: KubernetesWorld, kind: Kind) -> set[str]:
    return {uid_of(body) for body in world.cache.of_model(kind, MODEL)}


async def test_a_lost_status_is_rebuilt_and_nothing_is_made_again(
    plane: ControlPlane, serving: KubernetesWorld
) -> None:
    children = {kind: _uids(serving, kind) for kind in (JOBS, RAY_SERVICES, CONFIG_MAPS)}
    for kind, name in ((MODEL_VERSIONS, "v1"), (MODELS, MODEL)):
        body = serving.person.get(kind, name) | {"status": {}}
        path = kind.path(serving.person.namespace, name) + "/status"
        plane.request("PUT", path, body)
    lost = serving.person.get(MODELS, MODEL)["metadata"]["resourceVersion"]
    await until_holds(lambda: _newer(serving, lost), what="the operator sees it")
    await until(serving.cache, {"v1": "Serving"})
    await until_holds(lambda: _stable(serving) == "v1", what="stable again")
    assert {kind: _uids(serving, kind) for kind in children} == children
    assert set(creations(plane, serving.person.namespace).values()) == {1}


def _newer(world: KubernetesWorld, version: str) -> bool:
    known = world.cache.get(MODELS, MODEL)
    return known is not None and int(known["metadata"]["resourceVersion"]) > int(version)


async def test_a_replaced_object_is_a_new_version_and_the_old_backend_goes(
    serving: KubernetesWorld,
) -> None:
    old = _backend(serving)
    serving.person.delete(MODEL_VERSIONS, "v1")
    apply_version(serving.person, MODEL, "v1")

    def replaced() -> bool:
        found = serving.cache.of_model(RAY_SERVICES, MODEL)
        return len(found) == 1 and uid_of(found[0]) != uid_of(old)

    await until_holds(replaced, what="only the new backend is left")
    await until(serving.cache, {"v1": "Serving"})
    assert name_of(_backend(serving)) != name_of(old)


async def test_a_version_deleted_while_it_trains_leaves_nothing(
    plane: ControlPlane, serving: KubernetesWorld, cluster: ScriptedCluster
) -> None:
    cluster.script.held.add("v2")
    apply_version(serving.person, MODEL, "v2")
    await until(serving.cache, {"v2": "Training"})
    await until_holds(lambda: _children(serving, PODS, "v2") == 1, what="it trains")
    serving.person.delete(MODEL_VERSIONS, "v2")
    for kind in (JOBS, CONFIG_MAPS, PODS):
        await until_holds(lambda k=kind: _children(serving, k, "v2") == 0, what=f"{kind} go")
    await until(serving.cache, {"v1": "Serving"})
    assert backends_of(serving.cache, MODEL) == ["v1"]
    assert max(creations(plane, serving.person.namespace).values()) == 1


def _children(world: KubernetesWorld, kind: Kind, version: str) -> int:
    found = Counter(
        body["metadata"]["labels"].get("slipway.dev/version")
        for body in world.cache.of_model(kind, MODEL)
    )
    return found[version]


async def test_a_deleted_model_is_drained_and_its_versions_say_so(
    serving: KubernetesWorld, outside: Outside
) -> None:
    serving.person.delete(MODELS, MODEL)
    await until_holds(lambda: serving.cache.get(MODELS, MODEL) is None, what="the Model goes")
    await until_holds(lambda: not backends_of(serving.cache, MODEL), what="its backends go")
    await until_holds(lambda: MODEL not in outside.routes.routes, what="its route goes")
    serving.person.delete(MODEL_VERSIONS, "v1")
    for kind in (MODEL_VERSIONS, JOBS, CONFIG_MAPS, PODS):
        await until_holds(lambda k=kind: not _uids(serving, k), what=f"{kind.plural} go")


async def test_a_deleted_version_that_serves_is_drained(serving: KubernetesWorld) -> None:
    serving.person.delete(MODEL_VERSIONS, "v1")
    await until_holds(lambda: not backends_of(serving.cache, MODEL), what="its backend goes")
    await until_holds(lambda: _stable(serving) == "", what="nothing is stable")


async def test_a_namespace_that_is_deleted_does_not_stick(
    plane: ControlPlane, serving: KubernetesWorld
) -> None:
    path = f"/api/v1/namespaces/{serving.person.namespace}"
    plane.request("DELETE", path)
    await until_holds(lambda: plane.client.raw("GET", path)[0] == 404, what="the namespace goes")


async def test_somebody_s_scaling_is_put_right(serving: KubernetesWorld) -> None:
    before = _backend(serving)
    config = orjson.loads(before["spec"]["serveConfigV2"])
    scaling = config["applications"][0]["deployments"][0]
    scaling["autoscaling_config"] = {"min_replicas": 7, "max_replicas": 9}
    scaling.pop("num_replicas", None)
    text = orjson.dumps(config).decode()
    serving.person.patch(RAY_SERVICES, name_of(before), {"spec": {"serveConfigV2": text}})

    def right() -> bool:
        found = _backend(serving)
        same = found["spec"] == before["spec"]
        return same and found["metadata"]["generation"] > before["metadata"]["generation"]

    await until_holds(right, what="the scaling is as it was")
    assert uid_of(_backend(serving)) == uid_of(before)


async def test_a_deleted_backend_is_made_again_from_the_same_artifact(
    plane: ControlPlane, serving: KubernetesWorld
) -> None:
    old = _backend(serving)
    jobs = _uids(serving, JOBS)
    serving.person.delete(RAY_SERVICES, name_of(old))

    def again() -> bool:
        found = serving.cache.of_model(RAY_SERVICES, MODEL)
        return [uid_of(body) != uid_of(old) for body in found] == [True]

    await until_holds(again, what="another backend")
    await until_holds(lambda: _ready(serving), what="it serves again")
    assert name_of(_backend(serving)) == name_of(old)
    assert _backend(serving)["spec"] == old["spec"]
    assert _uids(serving, JOBS) == jobs


def _ready(world: KubernetesWorld) -> bool:
    status = (world.cache.get(MODELS, MODEL) or {}).get("status") or {}
    found = {c["type"]: c["status"] for c in status.get("conditions", ())}
    return bool(_backend(world).get("status")) and found.get("Ready") == "True"
