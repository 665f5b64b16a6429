"""Fixtures of the apiserver tier: one control plane a session, a namespace of its own a test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_cluster import cache, kuberay
from slipway_cluster.controlplane import CONTROLLERS, ControlPlane
from slipway_cluster.processes import wait_until

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


def _discovered(plane: ControlPlane) -> bool:
    """Whether clients find every kind: discovery is later than the CRD's own conditions."""
    groups = {group["name"] for group in plane.request("GET", "/apis")["groups"]}
    if not {"slipway.dev", "ray.io"} <= groups:
        return False
    found = plane.request("GET", "/apis/ray.io/v1")["resources"]
    found += plane.request("GET", "/apis/slipway.dev/v1alpha1")["resources"]
    return {"rayservices", "models", "modelversions"} <= {kind["name"] for kind in found}
