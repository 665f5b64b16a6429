"""What the test cluster itself must give: restricted pods, Services, DNS, storage, logs, KubeRay.

A pod of one static binary, made and imported here. Slipway is not involved.
"""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway_cluster import archive, cache, kuberay, tools, volumes
from slipway_cluster.assembled import Assembled
from slipway_cluster.client import Client
from slipway_cluster.errors import ApiError
from slipway_cluster.processes import wait_until

IMAGE = "docker.io/slipway/probe:dev"
USER = 65532
PATIENCE = 120.0
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
NON_ROOT = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A running pod behind a Service, in a namespace that enforces the restricted level."""

    client: Client
    namespace: str
    address: str

    def get(self, path: str) -> str:
        """From the machine, through the Service's cluster address."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=30) as answer:
                return str(answer.read().decode()).strip()
        except urllib.error.HTTPError as refused:
            with refused:
                return f"{refused.code} {refused.read().decode().strip()}"

    def answers(self) -> bool:
        """Whether the Service's rules are in place."""
        try:
            return self.get("/").startswith("uid=")
        except OSError:
            return False


@pytest.fixture(scope="module")
def assembled(cluster: None) -> Assembled:
    found = Assembled(cache.folders(), say=print)
    if not found.marked():
        pytest.skip("kind gives the cluster here, and is tested by its makers")
    assert found.whole(), found.status()
    return found


@pytest.fixture(scope="module")
def probe(assembled: Assembled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    folder = tmp_path_factory.mktemp("probe")
    tools.compile_file(Path(__file__).parent / "probe" / "main.go", folder / "probe")
    image = folder / "probe.tar"
    archive.write(image, name=IMAGE, binary=folder / "probe", path="/probe", user=str(USER))
    assembled.load([image])
    client, namespace = assembled.plane.client, f"ground-{secrets.token_hex(3)}"
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    assembled.plane.create_namespace(namespace, labels=level)
    core = f"/api/v1/namespaces/{namespace}"
    try:
        client.request("POST", f"{core}/persistentvolumeclaims", claim())
        service = client.request("POST", f"{core}/services", a_service())
        client.request("POST", f"{core}/pods", a_pod())
        assert wait_until(lambda: is_ready(client, f"{core}/pods/probe"), seconds=PATIENCE)
        found = Probe(client=client, namespace=namespace, address=service["spec"]["clusterIP"])
        assert wait_until(found.answers, seconds=PATIENCE)
        yield found
    finally:
        client.request("DELETE", f"/api/v1/namespaces/{namespace}")


def claim() -> dict[str, Any]:
    """As a chart would ask: the default class, shared by pods."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": "data"}, "spec": spec}


def a_service() -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 8080}]
    return {"metadata": {"name": "probes"}, "spec": {"selector": {"app": "probe"}, "ports": ports}}


def a_pod(**container: object) -> dict[str, Any]:
    body = {
        "name": "probe",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "securityContext": RESTRICTED,
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        **container,
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {"securityContext": NON_ROOT, "containers": [body], "volumes": [volume]}
    return {"metadata": {"name": "probe", "labels": {"app": "probe"}}, "spec": spec}


def is_ready(client: Client, path: str) -> bool:
    status = client.request("GET", path)["status"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))


def phases(client: Client) -> dict[str, str]:
    items = client.request("GET", volumes.PATH)["items"]
    return {item["metadata"]["name"]: item["status"]["phase"] for item in items}


def test_a_restricted_pod_answers_through_its_service(probe: Probe) -> None:
    assert probe.get("/") == f"uid={USER}"


def test_a_pod_reaches_a_service_by_name(probe: Probe) -> None:
    host = f"probes.{probe.namespace}.svc.cluster.local"
    assert probe.get(f"/fetch?url=http://{host}/") == f"uid={USER}"
    assert probe.get("/fetch?url=http://probes/") == f"uid={USER}"


def test_a_claimed_volume_is_writable_without_root(probe: Probe) -> None:
    assert probe.get("/write?path=/data/x") == "written"


def test_the_root_filesystem_is_not(probe: Probe) -> None:
    assert "read-only file system" in probe.get("/write?path=/x")


def test_pods_logs_are_served(probe: Probe) -> None:
    status, text = probe.client.raw("GET", f"/api/v1/namespaces/{probe.namespace}/pods/probe/log")
    assert (status, text.strip()) == (200, "serving")


def test_a_privileged_pod_is_refused(probe: Probe) -> None:
    path = f"/api/v1/namespaces/{probe.namespace}/pods"
    with pytest.raises(ApiError, match="violates PodSecurity"):
        probe.client.request("POST", path, a_pod(securityContext={"privileged": True}))


def test_a_volume_comes_back_empty(assembled: Assembled, probe: Probe) -> None:
    core = f"/api/v1/namespaces/{probe.namespace}/persistentvolumeclaims"
    client = assembled.plane.client
    client.request("POST", core, {**claim(), "metadata": {"name": "short"}})
    bound: list[str] = []

    def is_bound() -> bool:
        bound[:] = [client.request("GET", f"{core}/short")["spec"].get("volumeName", "")]
        return bool(bound[0]) and phases(client)[bound[0]] == "Bound"

    assert wait_until(is_bound, seconds=PATIENCE)
    folder = assembled.folders.state / "volumes" / bound[0]
    (folder / "left").write_text("x", "utf-8")
    client.request("DELETE", f"{core}/short")
    assert wait_until(lambda: phases(client)[bound[0]] == "Available", seconds=PATIENCE)
    assert list(folder.iterdir()) == []


def test_kuberay_is_available(assembled: Assembled) -> None:
    kuberay.await_ready(assembled.plane.client)
