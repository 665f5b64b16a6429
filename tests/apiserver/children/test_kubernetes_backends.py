"""Backends on a real API server: KubeRay's schema, capacity, crashes, what is never rewritten."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from children_contract import MODEL, a_backend, backend_until
from children_world import (
    CONFIG,
    KubernetesBackendsWorld,
    condition,
    kept,
    scheduled,
    terminated,
    waiting,
)

from slipway_contracts.conditions import Reason
from slipway_contracts.serving import Replicas, Serving
from slipway_operator.core.snapshot import BackendState
from slipway_operator.errors import Transient
from slipway_operator.platforms.kubernetes.build_backend import build_backend
from slipway_operator.platforms.kubernetes.kinds import CONFIG_MAPS, RAY_SERVICES

World = KubernetesBackendsWorld
GPU = {"resources": {"gpu": 1, "cpu": 8, "memory": "48Gi"}}
WIDE = Serving(replicas=Replicas(min=1, max=3))


@pytest.fixture
def world(backends_world: World) -> World:
    return backends_world


@pytest.mark.parametrize(
    "serving",
    [{}, GPU, GPU | {"replicas": {"min": 1, "max": 4}, "tolerations": [{"key": "a"}]}],
    ids=["cpu", "gpu", "gpu that grows"],
)
async def test_nothing_of_a_ray_service_is_dropped(world: World, serving: dict[str, Any]) -> None:
    backend = a_backend(serving=Serving.model_validate(serving))
    await world.backends.apply(MODEL, [backend])
    anchor = world.world.person.get(CONFIG_MAPS, CONFIG.anchor)
    sent = build_backend(backend, config=CONFIG, anchor=anchor)
    assert kept(sent, world.world.person.get(RAY_SERVICES, "v1")) == []


async def test_an_upgraded_operator_leaves_the_cluster_and_the_arguments(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend(serving=WIDE)])
    before = world.world.person.get(RAY_SERVICES, "v1")["spec"]
    images = CONFIG.images.model_copy(update={"engine": "docker.io/slipway/engine:next"})
    world.config = CONFIG.model_copy(update={"images": images})
    changed = WIDE.model_copy(update={"drain_seconds": 99})
    await world.again().apply(MODEL, [a_backend(serving=changed, replicas=2)])
    after = world.world.person.get(RAY_SERVICES, "v1")["spec"]
    assert after["rayClusterConfig"] == before["rayClusterConfig"]
    old, new = json.loads(before["serveConfigV2"]), json.loads(after["serveConfigV2"])
    assert new["applications"][0].pop("deployments") != old["applications"][0].pop("deployments")
    assert new == old


async def test_the_same_desire_writes_nothing(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend()])
    await world.ready("v1")
    await backend_until(world, BackendState.READY)
    await world.backends.apply(MODEL, [a_backend()])
    before = world.world.person.get(RAY_SERVICES, "v1")
    for _ in range(3):
        await world.backends.observe(MODEL)
        await world.backends.apply(MODEL, [a_backend()])
    await world.again().apply(MODEL, [a_backend()])
    assert world.world.person.get(RAY_SERVICES, "v1") == before


async def test_two_operators_make_one_backend(world: World) -> None:
    second = world.again()
    await asyncio.gather(
        world.backends.apply(MODEL, [a_backend()]), second.apply(MODEL, [a_backend()])
    )
    assert len(world.world.person.list(RAY_SERVICES)) == 1


async def test_the_annotation_does_not_grow(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend()])
    await world.ready("v1")
    await backend_until(world, BackendState.READY)
    lengths = set()
    head = next(iter(world._heads("v1")))["metadata"]["name"]
    for restarts in (1, 2, 3):
        running = {"running": {}}
        await world.change_pod(head, running, ready=True, restarts=restarts)
        await backend_until(world, BackendState.READY)
        await world.backends.apply(MODEL, [a_backend()])
        annotations = world.world.person.get(RAY_SERVICES, "v1")["metadata"]["annotations"]
        lengths.add(len(annotations["slipway.dev/warmed"]))
    assert len(lengths) == 1


async def test_no_room_is_said_in_the_scheduler_s_words(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend(serving=Serving.model_validate(GPU))])
    message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    no_room = condition("PodScheduled", "False", reason="Unschedulable", message=message)
    await world.head("v1")
    await world.pod("v1", "worker", None, conditions=[no_room])
    seen = await backend_until(world, BackendState.NO_CAPACITY)
    assert seen.reason is Reason.INSUFFICIENT_CAPACITY
    assert "1 Insufficient nvidia.com/gpu; add a node" in seen.message


async def test_an_image_that_does_not_exist(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend()])
    state = waiting("ErrImagePull", "manifest unknown")
    await world.pod("v1", "head", state, conditions=[scheduled()])
    assert (await backend_until(world, BackendState.STARTING)).reason is Reason.IMAGE_PULL
    world.later = 120
    seen = await backend_until(world, BackendState.FAILED)
    assert seen.reason is Reason.IMAGE_PULL
    assert "manifest unknown" in seen.message


async def test_a_killed_container_is_out_of_memory(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend()])
    last = terminated(137, reason="OOMKilled")
    head = await world.pod("v1", "head", {"running": {}}, restarts=1, last=last)
    seen = await backend_until(world, BackendState.FAILED)
    assert seen.reason is Reason.OOM_KILLED
    assert head in seen.message


async def test_a_serving_container_that_is_killed_comes_back(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend()])
    await world.ready("v1")
    await backend_until(world, BackendState.READY)
    await world.backends.apply(MODEL, [a_backend()])
    head = next(iter(world._heads("v1")))["metadata"]["name"]
    last = terminated(137, reason="OOMKilled")
    await world.change_pod(head, waiting("CrashLoopBackOff"), ready=False, restarts=1, last=last)
    seen = await backend_until(world, BackendState.UNHEALTHY)
    assert seen.reason is Reason.OOM_KILLED
    await world.backends.apply(MODEL, [a_backend()])
    answers = len(world.answers)
    await world.change_pod(head, {"running": {}}, ready=True, restarts=1, last=last)
    await backend_until(world, BackendState.READY)
    assert len(world.answers) > answers


async def test_without_the_anchor_nothing_is_made(world: World) -> None:
    world.world.person.delete(CONFIG_MAPS, CONFIG.anchor)
    with pytest.raises(Transient, match="install the chart"):
        await world.backends.apply(MODEL, [a_backend()])
    assert world.world.person.list(RAY_SERVICES) == []


async def test_backends_outlive_their_version_and_go_with_the_anchor(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend()])
    seen = (await world.backends.observe(MODEL))["v1"]
    assert (seen.version, seen.serving) == ("v1", Serving())
    world.world.person.delete(CONFIG_MAPS, CONFIG.anchor)
    await world.world.until(lambda: not world.world.person.list(RAY_SERVICES))


async def test_an_object_that_changed_is_read_again(world: World) -> None:
    await world.backends.apply(MODEL, [a_backend(serving=WIDE)])
    stale = world.world.cache.get(RAY_SERVICES, "v1")
    assert stale is not None
    made = world.world.person.patch(RAY_SERVICES, "v1", {"metadata": {"labels": {"who": "me"}}})
    await world.world.seen(RAY_SERVICES, made)
    await world.backends.apply(MODEL, [a_backend(serving=WIDE, replicas=3)])
    body = world.world.person.get(RAY_SERVICES, "v1")
    assert body["metadata"]["labels"]["who"] == "me"
    assert '"min_replicas": 3' in body["spec"]["serveConfigV2"] or (
        '"num_replicas": 3' in body["spec"]["serveConfigV2"]
    )
