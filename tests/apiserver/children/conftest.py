"""Worlds of runs and backends on a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from children_world import Engines, KubernetesBackendsWorld, KubernetesRunsWorld
from kubernetes_world import KubernetesWorld, kubernetes_world

from slipway_cluster.controlplane import ControlPlane


@pytest.fixture
async def cluster(plane: ControlPlane, namespace: str) -> AsyncIterator[KubernetesWorld]:
    async with kubernetes_world(plane, namespace) as started:
        yield started


@pytest.fixture
async def runs_world(cluster: KubernetesWorld) -> KubernetesRunsWorld:
    world = KubernetesRunsWorld(cluster)
    await world.prepare()
    return world


@pytest.fixture
async def backends_world(cluster: KubernetesWorld) -> AsyncIterator[KubernetesBackendsWorld]:
    async with Engines() as engines:
        world = KubernetesBackendsWorld(cluster, engines)
        await world.prepare()
        yield world
        await world.aclose()
