"""Fixtures of the apiserver tier: one control plane a session, a namespace of its own a test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from children_world import CONFIG, Engines
from kubernetes_world import KubernetesWorld, kubernetes_world
from operator_parts import Outside
from scripted_cluster import ScriptedCluster

from slipway_cluster import cache, kuberay
from slipway_cluster.controlplane import CONTROLLERS, ControlPlane
from slipway_cluster.processes import wait_until
from slipway_operator.platforms.kubernetes.kinds import CONFIG_MAPS

ROOT = Path(__file__).parents[2]
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Etcd, kube-apiserver and a few controllers, with our CRDs and KubeRay's."""
    home = tmp_path_factory.mktemp("plane")
    crds = [ROOT / "deploy" / "crds", kuberay.crds(cache.folders())]
    with ControlPlane(home, audit=True, controllers=CONTROLLERS, crds=crds) as started:
        assert wait_until(lambda: _discovered(started), seconds=60)
        yield started


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A fresh namespace; it goes with the control plane."""
    name = f"t{next(NUMBERS)}"
    plane.create_namespace(name)
    return name


@pytest.fixture
async def world(plane: ControlPlane, namespace: str) -> AsyncIterator[KubernetesWorld]:
    """The namespace with the release's anchor and a real watch."""
    async with kubernetes_world(plane, namespace) as started:
        started.person.create(CONFIG_MAPS, {"metadata": {"name": CONFIG.anchor}})
        yield started


@pytest.fixture
async def cluster(world: KubernetesWorld) -> AsyncIterator[ScriptedCluster]:
    """The Job controller, the kubelet and KubeRay, played."""
    async with ScriptedCluster(world.api, world.cache).playing() as playing:
        yield playing


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    """Routes in memory, and engines that answer."""
    async with Engines() as engines:
        yield Outside(service_url=engines.template)


def _discovered(plane: ControlPlane) -> bool:
    """Whether clients find every kind: discovery is later than the CRD's own conditions."""
    groups = {group["name"] for group in plane.request("GET", "/apis")["groups"]}
    if not {"slipway.dev", "ray.io"} <= groups:
        return False
    found = plane.request("GET", "/apis/ray.io/v1")["resources"]
    found += plane.request("GET", "/apis/slipway.dev/v1alpha1")["resources"]
    return {"rayservices", "models", "modelversions"} <= {kind["name"] for kind in found}
