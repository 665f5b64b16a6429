"""The real kubectl as a person in the test's namespace."""

from __future__ import annotations

import pytest
from kubectl import Kubectl

from slipway_cluster.controlplane import ControlPlane


@pytest.fixture
def kubectl(plane: ControlPlane, namespace: str) -> Kubectl:
    """As the administrator in the test's namespace."""
    return Kubectl(kubeconfig=plane.kubeconfig, namespace=namespace)
