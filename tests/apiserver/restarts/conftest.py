"""A namespace with the anchor, a real watch, scripted controllers and engines that answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from children_world import CONFIG, Engines
from kubernetes_world import KubernetesWorld, kubernetes_world
from operator_parts import Outside
from scripted_cluster import ScriptedCluster

from slipway_cluster.controlplane import ControlPlane
from slipway_operator.platforms.kubernetes.kinds import CONFIG_MAPS


@pytest.fixture
async def world(plane: ControlPlane, namespace: str) -> AsyncIterator[KubernetesWorld]:
    async with kubernetes_world(plane, namespace) as started:
        started.person.create(CONFIG_MAPS, {"metadata": {"name": CONFIG.anchor}})
        yield started


@pytest.fixture
async def cluster(world: KubernetesWorld) -> AsyncIterator[ScriptedCluster]:
    async with ScriptedCluster(world.api, world.cache).playing() as playing:
        yield playing


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    async with Engines() as engines:
        yield Outside(service_url=engines.template)
