"""Whole operator processes: they reconcile, one leads, another follows, they say how they are."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from kubernetes_world import Person
from metric_pages import silent, strays
from operator_process import OperatorProcess, until
from postgres_server import PostgresServer

from slipway_cluster.controlplane import ControlPlane
from slipway_contracts.metrics import LIFECYCLE
from slipway_contracts.metrics.kinds import Owner
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    LEASES,
    MODEL_VERSIONS,
    MODELS,
)

pytestmark = pytest.mark.timeout(400)
LEASE = "slipway-operator"


class Release:
    """One namespace with its anchor, and operators for it."""

    def __init__(self, plane: ControlPlane, namespace: str, dsn: str, folder: Path) -> None:
        self.person = Person(plane=plane, namespace=namespace)
        self.person.create(CONFIG_MAPS, {"metadata": {"name": "slipway-platform"}})
        self._dsn, self._folder = dsn, folder

    def operator(self, identity: str = "operator-0", **more: str) -> OperatorProcess:
        return OperatorProcess(
            self._folder,
            kubeconfig=self.person.plane.kubeconfig,
            namespace=self.person.namespace,
            dsn=more.pop("dsn", self._dsn),
            identity=identity,
            more=more,
        )

    def apply(self, model: str = "tiny", version: str = "v1") -> None:
        self.person.create(MODELS, {"metadata": {"name": model}, "spec": {}})
        spec = {"model": model, "source": {"random": {}}}
        self.person.create(MODEL_VERSIONS, {"metadata": {"name": version}, "spec": spec})

    def status(self, version: str = "v1") -> dict[str, Any]:
        return self.person.get(MODEL_VERSIONS, version).get("status") or {}

    @property
    def leader(self) -> str:
        found = [lease for lease in self.person.list(LEASES) if lease["metadata"]["name"] == LEASE]
        return str(found[0]["spec"]["holderIdentity"]) if found else ""


@pytest.fixture
def release(plane: ControlPlane, namespace: str, empty_dsn: str, tmp_path: Path) -> Release:
    return Release(plane, namespace, empty_dsn, tmp_path)


def test_it_reconciles_a_model_and_shows_what_it_does(release: Release) -> None:
    with release.operator() as operator:
        release.apply()
        until(lambda: release.status().get("phase") == "Training", "v1 trains")
        assert release.status()["observedGeneration"] == 1
        assert [
            job["metadata"]["labels"]["slipway.dev/version"] for job in release.person.list(JOBS)
        ]
        until(
            lambda: {"Accepted", "Importing"} <= {e["reason"] for e in release.person.list(EVENTS)},
            "events are told",
        )
        assert operator.asked("/healthz") == (200, "ok\n")
        assert operator.asked("/readyz") == (200, "ok\n")
        told = 'slipway_version_phase{model="tiny",phase="Training",version="v1"} 1.0'
        until(lambda: told in operator.asked("/metrics")[1], "the version is on the page")
        text = operator.asked("/metrics")[1]
        assert not strays(text, Owner.OPERATOR)
        assert not silent(text, Owner.OPERATOR, but=[metric.name for metric in LIFECYCLE])
        assert "slipway_operator_connected 1.0" in text
        assert 'slipway_operator_model_versions{phase="Training"} 1.0' in text
        assert operator.end() == 0


def test_a_killed_leader_is_followed_by_the_other_replica(release: Release) -> None:
    with release.operator("a") as a:
        until(lambda: a.leads, "a leads")
        with release.operator("b") as b:
            until(lambda: b.asked("/readyz")[0] == 200, "b is ready")
            assert not b.leads
            a.end(signal.SIGKILL)
            release.apply()
            until(lambda: b.leads, "b leads")
            until(lambda: release.status().get("phase") == "Training", "b reconciles")
            assert release.leader == "b"


def test_a_leader_that_is_asked_to_end_lets_the_other_lead_at_once(release: Release) -> None:
    hours = {"SLIPWAY_OPERATOR_LEASE_SECONDS": "3600"}
    with release.operator("a", **hours) as a:
        until(lambda: a.leads, "a leads")
        with release.operator("b") as b:
            until(lambda: b.asked("/readyz")[0] == 200, "b is ready")
            assert a.end() == 0
            until(lambda: b.leads, "b leads")


def test_a_leader_whose_lease_was_taken_ends(release: Release) -> None:
    with release.operator("a") as a:
        until(lambda: a.leads, "a leads")
        release.person.patch(LEASES, LEASE, {"spec": {"holderIdentity": "somebody"}})
        assert a.process.wait(timeout=60) == 1
        assert "is held by somebody" in a.log.read_text()
        assert release.leader == "somebody"


def test_without_postgresql_it_waits_and_says_so(
    release: Release, postgres: PostgresServer
) -> None:
    with release.operator(dsn="postgresql://nobody@127.0.0.1:1/none") as operator:
        until(lambda: "PostgreSQL does not answer" in operator.asked("/readyz")[1], "it says so")
        assert operator.asked("/readyz")[0] == 503
        assert operator.asked("/healthz")[0] == 200
        assert operator.end() == 0


def test_a_platform_file_that_is_not_right_ends_it_with_the_fields_name(release: Release) -> None:
    operator = release.operator()
    (operator.log.parent / "platform.yaml").write_text("images: {engine: x}\nextra: 1\n")
    with operator:
        assert operator.process.wait(timeout=60) == 1
    assert re.search(r"platform\.yaml.*images\.training", operator.log.read_text())
