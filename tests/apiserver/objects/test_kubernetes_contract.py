"""Kubernetes' objects and events keep the ports' promises, against a real API server.

The suite's objects carry the finalizer that clients of the local platform put on. Kubernetes' own
path puts none on (ADR 14), but whoever has one gets it off by the same ``release``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from kubernetes_world import KubernetesWorld, kubernetes_world
from platform_contract import EventsContract, ObjectsContract

from slipway_cluster.controlplane import ControlPlane


@pytest.fixture
async def world(plane: ControlPlane, namespace: str) -> AsyncIterator[KubernetesWorld]:
    async with kubernetes_world(plane, namespace) as started:
        yield started


class TestKubernetesObjects(ObjectsContract):
    pass


class TestKubernetesEvents(EventsContract):
    pass
