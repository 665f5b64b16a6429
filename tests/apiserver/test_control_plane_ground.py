"""What the control plane alone must give: CRDs, identities, RBAC, audit, owners."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway_cluster.controlplane import ControlPlane
from slipway_cluster.errors import ApiError
from slipway_cluster.processes import wait_until

PATIENCE = 90.0


@pytest.fixture
def maps(namespace: str) -> str:
    """Where ConfigMaps of the test's namespace are."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_our_crds_are_served(plane: ControlPlane, namespace: str) -> None:
    found = plane.request("GET", f"/apis/slipway.dev/v1alpha1/namespaces/{namespace}/models")
    assert found["kind"] == "ModelList"


def test_a_service_account_may_nothing_at_first(plane: ControlPlane, namespace: str) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    plane.request("POST", accounts, {"metadata": {"name": "robot"}})
    token = plane.token_for("robot", namespace=namespace)
    review = {"spec": {"token": token}}
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    user = plane.request("POST", path, review)["status"]["user"]["username"]
    assert user == f"system:serviceaccount:{namespace}:robot"
    access = {"spec": {"user": user, "resourceAttributes": {"verb": "get", "resource": "secrets"}}}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert plane.request("POST", path, access)["status"]["allowed"] is False


def test_what_is_owned_goes_with_its_owner(plane: ControlPlane, maps: str) -> None:
    owner = plane.request("POST", maps, {"metadata": {"name": "owner"}})["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    plane.request("POST", maps, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    plane.request("DELETE", f"{maps}/owner")

    def gone() -> bool:
        return plane.client.raw("GET", f"{maps}/owned")[0] == 404

    assert wait_until(gone, seconds=PATIENCE)


def test_requests_are_audited_with_their_bodies(plane: ControlPlane, maps: str) -> None:
    plane.request("POST", maps, {"metadata": {"name": "seen"}, "data": {"a": "b"}})
    found = [
        event["requestObject"]["data"]
        for event in plane.audit_events()
        if event["verb"] == "create" and event["objectRef"].get("name") == "seen"
    ]
    assert found == [{"a": "b"}]


def test_a_refusal_carries_its_status(plane: ControlPlane, maps: str) -> None:
    with pytest.raises(ApiError, match="not found") as refused:
        plane.request("GET", f"{maps}/none")
    assert refused.value.status == 404


def test_nothing_is_left_of_one_that_ended(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "plane") as short:
        assert short.running()["kube-apiserver"]
    assert not any(short.running().values())
    assert not (tmp_path / "plane" / "etcd").exists()
