"""Kubernetes' runs and backends keep the ports' promises, against a real API server."""

from __future__ import annotations

import pytest
from children_contract import BackendsContract, RunsContract
from children_world import KubernetesBackendsWorld, KubernetesRunsWorld


class TestKubernetesRuns(RunsContract):
    @pytest.fixture
    def world(self, runs_world: KubernetesRunsWorld) -> KubernetesRunsWorld:
        return runs_world


class TestKubernetesBackends(BackendsContract):
    @pytest.fixture
    def world(self, backends_world: KubernetesBackendsWorld) -> KubernetesBackendsWorld:
        return backends_world
