"""The watch against a real API server: what it tells, what it misses, and what it then does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes_world import KubernetesWorld, kubernetes_world

from slipway_cluster.controlplane import ControlPlane
from slipway_operator import watch
from slipway_operator.errors import Conflict, Terminal
from slipway_operator.platforms.kubernetes.api import Api, connect, find_access
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    LABEL_MODEL,
    LABEL_VERSION,
    MODEL_VERSIONS,
    MODELS,
    PODS,
    RAY_SERVICES,
    Body,
    Kind,
)


@pytest.fixture
async def world(plane: ControlPlane, namespace: str) -> AsyncIterator[KubernetesWorld]:
    async with kubernetes_world(plane, namespace) as started:
        yield started


@pytest.fixture
async def api(plane: ControlPlane, namespace: str) -> AsyncIterator[Api]:
    access = await find_access(plane.kubeconfig)
    async with connect(access, namespace=namespace) as connected:
        yield connected


def a_config_map(name: str, model: str = "tiny", **data: str) -> dict[str, Any]:
    labels = {LABEL_MODEL: model, LABEL_VERSION: "v1"} if model else {}
    return {"metadata": {"name": name, "labels": labels}, "data": data}


async def test_children_are_told_and_those_of_others_are_not(world: KubernetesWorld) -> None:
    names = world.objects.watch()
    world.person.create(CONFIG_MAPS, a_config_map("theirs", model=""))
    world.person.create(CONFIG_MAPS, a_config_map("ours"))
    async with asyncio.timeout(60):
        assert await anext(names) == "tiny"
    await world.until(lambda: world.cache.get(CONFIG_MAPS, "ours") is not None)
    assert set(world.cache.names(CONFIG_MAPS)) == {"ours"}
    world.person.delete(CONFIG_MAPS, "ours")
    await world.until(lambda: world.cache.get(CONFIG_MAPS, "ours") is None)
    await names.aclose()  # type: ignore[attr-defined]


async def test_children_whose_model_was_deleted_before_the_start_are_found(
    plane: ControlPlane, namespace: str, api: Api
) -> None:
    body = {"metadata": {"name": "left", "labels": {LABEL_MODEL: "gone"}}, "spec": RAY_SPEC}
    await api.apply(RAY_SERVICES, body)
    async with kubernetes_world(plane, namespace) as world:
        names = world.objects.watch()
        async with asyncio.timeout(60):
            assert await anext(names) == "gone"
        await names.aclose()  # type: ignore[attr-defined]


RAY_SPEC = {
    "rayClusterConfig": {
        "headGroupSpec": {
            "rayStartParams": {},
            "template": {"spec": {"containers": [{"name": "h", "image": "i"}]}},
        }
    }
}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RELIST_SECONDS", 1.0)
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(watch, "RESTART_SECONDS", 0.1)


async def test_a_silent_watch_is_noticed_and_opened_anew(
    hasty: None, plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, is_news = watch.Watch.told, watch.Watch.is_news
    silent = [True]

    def deaf(self: watch.Watch, kind: Kind, event: Any) -> None:
        if not silent[0]:
            heard(self, kind, event)

    def unsifted(self: watch.Watch, kind: Kind, body: Body) -> bool:
        return silent[0] or is_news(self, kind, body)

    monkeypatch.setattr(watch.Watch, "told", deaf)
    monkeypatch.setattr(watch.Watch, "is_news", unsifted)
    async with kubernetes_world(plane, namespace) as world:
        made = world.person.create(MODELS, {"metadata": {"name": "tiny"}, "spec": {}})
        await world.seen(MODELS, made)
        await world.until(lambda: "silent" in world.restarts.whys)
        world.person.delete(MODELS, "tiny")
        await world.until(lambda: world.cache.get(MODELS, "tiny") is None)
        silent[0] = False
        made = world.person.create(MODELS, {"metadata": {"name": "again"}, "spec": {}})
        await world.seen(MODELS, made)


async def test_a_watch_that_tells_everything_is_left_alone(
    hasty: None, plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "RELIST_SECONDS", 11.0)
    monkeypatch.setattr(watch, "GRACE_SECONDS", 10.0)
    async with kubernetes_world(plane, namespace) as world:
        for number in range(20):
            made = world.person.create(MODELS, {"metadata": {"name": f"m{number}"}, "spec": {}})
            await world.seen(MODELS, made)
        assert world.restarts.whys == []


async def test_the_verbs(api: Api) -> None:
    made = await api.apply(CONFIG_MAPS, a_config_map("a", x="1"))
    again = await api.apply(CONFIG_MAPS, a_config_map("a", x="1"))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert made["metadata"]["managedFields"][0]["manager"] == "slipway"
    await api.create(CONFIG_MAPS, a_config_map("b", model="other"))
    with pytest.raises(Conflict):
        await api.create(CONFIG_MAPS, a_config_map("b"))
    listed = await api.list(CONFIG_MAPS, labels={LABEL_MODEL: ""})
    assert [body["metadata"]["name"] for body in listed] == ["a", "b"]
    assert listed[0]["kind"] == "ConfigMap"
    (only,) = await api.list(CONFIG_MAPS, labels={LABEL_MODEL: "other"})
    assert only["metadata"]["name"] == "b"
    await api.delete(CONFIG_MAPS, "a", uid="another")
    assert await api.get(CONFIG_MAPS, "a") is not None
    await api.delete(CONFIG_MAPS, "a", uid=made["metadata"]["uid"])
    await api.delete(CONFIG_MAPS, "a")
    assert await api.get(CONFIG_MAPS, "a") is None


async def test_what_the_server_refuses_says_what_to_do(api: Api) -> None:
    with pytest.raises(Terminal, match=r"spec\.task.*change that field"):
        await api.apply(MODELS, {"metadata": {"name": "tiny"}, "spec": {"task": "knitting"}})
    with pytest.raises(Conflict):
        await api.patch_status(MODEL_VERSIONS, "none", {}, resource_version="1")
    with pytest.raises(Conflict):
        await api.pod_log("none", container="main", tail_lines=1)
    assert await api.get(PODS, "none") is None


async def test_a_long_list_is_read_in_pages(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway_operator.platforms.kubernetes.api.NAMES_PAGE", 2)
    for number in range(5):
        await api.create(CONFIG_MAPS, a_config_map(f"m{number}"))
    listed, as_of = await api.versions(CONFIG_MAPS, labels={LABEL_MODEL: ""})
    assert (len(listed), as_of.isdigit()) == (5, True)


async def test_somebody_without_rights_is_told_so(plane: ControlPlane, namespace: str) -> None:
    access = await find_access(plane.kubeconfig_for("nobody"))
    async with connect(access, namespace=namespace) as api:
        with pytest.raises(Terminal, match="Role"):
            await api.list(MODELS)
