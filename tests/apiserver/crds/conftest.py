"""One kept-alive administrator's connection for all dry runs, and the real kubectl."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from admission import Admission
from kubectl import Kubectl

from slipway_cluster.controlplane import ControlPlane


@pytest.fixture(scope="session")
def admission(plane: ControlPlane) -> Iterator[Admission]:
    """Dry runs in ``default``: nothing is stored."""
    with Admission(plane) as opened:
        yield opened


@pytest.fixture
def stored(plane: ControlPlane, namespace: str) -> Iterator[Admission]:
    """In the test's own namespace, for objects that are kept."""
    with Admission(plane, namespace) as opened:
        yield opened


@pytest.fixture
def kubectl(plane: ControlPlane, namespace: str) -> Kubectl:
    """As the administrator in the test's namespace."""
    return Kubectl(kubeconfig=plane.kubeconfig, namespace=namespace)
