"""The chart installed by Helm on a real API server (no nodes): what it keeps, leaves and refuses.

One story in order: install, upgrade, uninstall, install again. The namespace enforces the
restricted Pod Security Standard, so the API server's own admission judges every pod.
"""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from chart_values import MODEL, merged, nested
from helm_chart import CHART, NAMESPACE, RELEASE, Refused, helm, pods, render
from pod_security import violations

from slipway_cluster.controlplane import ControlPlane
from slipway_cluster.errors import ApiError
from slipway_store.keys import id_of

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All&fieldValidation=Strict"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """An API server with the release's namespace, and no CRDs: those are Helm's to bring."""
    with ControlPlane(tmp_path_factory.mktemp("plane")) as running:
        running.create_namespace(NAMESPACE, labels=RESTRICTED)
        # No controller makes it here.
        account = {"metadata": {"name": "default"}}
        running.request("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)
        yield running


def run(plane: ControlPlane, verb: str, *arguments: str) -> str:
    connection = ("--kubeconfig", str(plane.kubeconfig), "--namespace", NAMESPACE)
    chart = () if verb == "uninstall" else (str(CHART),)
    return helm(verb, RELEASE, *chart, *connection, *arguments)


def get(plane: ControlPlane, path: str) -> dict[str, Any] | None:
    try:
        return plane.request("GET", path)
    except ApiError as error:
        assert error.status == 404, error
        return None


def core(plane: ControlPlane, plural: str, name: str) -> dict[str, Any] | None:
    return get(plane, f"/api/v1/namespaces/{NAMESPACE}/{plural}/{name}")


def model(plane: ControlPlane, plural: str, name: str) -> dict[str, Any] | None:
    return get(plane, f"/apis/slipway.dev/v1alpha1/namespaces/{NAMESPACE}/{plural}/{name}")


def kept(plane: ControlPlane) -> dict[str, str]:
    """What must not change while the release lives: random values and the anchor's uid."""
    database, key = (core(plane, "secrets", f"{RELEASE}-{n}") for n in ("database", "first-key"))
    anchor = core(plane, "configmaps", f"{RELEASE}-platform")
    assert database
    assert key
    assert anchor
    return {
        "password": base64.b64decode(database["data"]["password"]).decode(),
        "dsn": base64.b64decode(database["data"]["dsn"]).decode(),
        "key": base64.b64decode(key["data"]["key"]).decode(),
        "anchor": anchor["metadata"]["uid"],
    }


def test_install_upgrade_uninstall_install(plane, tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text(str(nested("models.m", MODEL)), "utf-8")
    shown = run(plane, "install", "-f", str(values))
    assert "violate" not in shown
    assert shown.rstrip().splitlines()[-2].lstrip().startswith("curl ")
    assert '"model": "m"' in shown
    version = model(plane, "modelversions", "m-1")
    assert version
    assert version["spec"]["model"] == "m"
    first = kept(plane)
    assert id_of(first["key"])
    assert first["password"] in first["dsn"]

    run(plane, "upgrade", "-f", str(values), "--set", "runs.threads=2,operator.replicas=2")
    assert kept(plane) == first
    anchor = core(plane, "configmaps", f"{RELEASE}-platform")
    assert anchor
    assert "threads: 2" in anchor["data"]["platform.yaml"]
    helm("rollback", RELEASE, "1", "--kubeconfig", plane.kubeconfig, "--namespace", NAMESPACE)
    assert kept(plane) == first

    run(plane, "uninstall")
    assert model(plane, "models", "m") is None
    assert core(plane, "configmaps", f"{RELEASE}-platform") is None
    assert core(plane, "secrets", f"{RELEASE}-first-key") is None
    for name in ("models", "modelversions"):
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.slipway.dev"
        assert get(plane, path) is not None
    assert core(plane, "persistentvolumeclaims", f"{RELEASE}-artifacts") is not None
    assert core(plane, "secrets", f"{RELEASE}-database") is not None

    run(plane, "install")
    again = kept(plane)
    # The data that the password opens stayed, too.
    assert (again["password"], again["dsn"]) == (first["password"], first["dsn"])
    assert again["key"] != first["key"]


def test_a_models_mistake_is_the_crds_to_find_and_nothing_is_left_half(plane, tmp_path):
    values = tmp_path / "values.yaml"
    wrong = merged(nested("models.bad.spec", {"serving": {"resources": {"gpu": -1}}}))
    values.write_text(str(wrong), "utf-8")
    with pytest.raises(Refused, match=r"spec\.serving\.resources\.gpu"):
        run(plane, "upgrade", "--install", "-f", str(values))
    assert model(plane, "models", "bad") is None


def test_the_gpu_values_are_accepted_by_the_crds(plane):
    objects = render(files=("values-gpu.yaml",))
    mine = [o for o in objects if o["apiVersion"].startswith("slipway.dev/")]
    assert len(mine) == 2
    for found in mine:
        path = f"/apis/slipway.dev/v1alpha1/namespaces/{NAMESPACE}/{found['kind'].lower()}s"
        plane.request("POST", path + "?dryRun=All&fieldValidation=Strict", found)


def test_every_pod_is_admitted_under_the_restricted_standard(plane):
    run(plane, "upgrade", "--install", "--set", "gateway.walVolume.enabled=false")
    for where, pod in pods(render()):
        plane.request("POST", PODS, as_pod(where, pod))


def as_pod(where: str, template: dict[str, Any]) -> dict[str, Any]:
    name = where.lower().replace("/", "-")
    metadata = {"name": name, "labels": template["metadata"].get("labels", {})}
    # A StatefulSet's claims are no volumes of its template.
    claims = [{"name": n, "emptyDir": {}} for n in ("data", "state")]
    spec = copy.deepcopy(template["spec"])
    known = {volume["name"] for volume in spec.get("volumes", [])}
    used = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    spec["volumes"] += [c for c in claims if c["name"] in used - known]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


SPOILED = {
    "nothing": {},
    "host network": {"hostNetwork": True},
    "host pid": {"hostPID": True},
    "host path": {"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]},
    "root": {"securityContext": {"runAsUser": 0}},
    "not non-root": {"securityContext": {"runAsNonRoot": None}},
    "said to be root": {"securityContext": {"runAsNonRoot": False}},
    "no seccomp": {"securityContext": {"seccompProfile": None}},
    "unconfined": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "a localhost profile": {
        "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "a"}}
    },
    "unsafe sysctl": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "safe sysctl": {
        "securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}
    },
    "SELinux user": {"securityContext": {"seLinuxOptions": {"user": "a"}}},
    "SELinux type": {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    "SELinux container type": {"securityContext": {"seLinuxOptions": {"type": "container_t"}}},
    "AppArmor off": {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
}
SPOILED_CONTAINER = {
    "privileged": {"privileged": True, "allowPrivilegeEscalation": None},
    "escalation": {"allowPrivilegeEscalation": True},
    "escalation unsaid": {"allowPrivilegeEscalation": None},
    "no drop": {"capabilities": None},
    "half a drop": {"capabilities": {"drop": ["NET_RAW"]}},
    "one more": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
    "low ports": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
    "root container": {"runAsUser": 0},
    "own seccomp": {"seccompProfile": {"type": "Unconfined"}},
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED.keys())
def test_our_judge_of_pods_agrees_with_the_api_servers(plane, change):
    check_agreement(plane, change, {})


@pytest.mark.parametrize("change", SPOILED_CONTAINER.values(), ids=SPOILED_CONTAINER.keys())
def test_our_judge_of_containers_agrees_with_the_api_servers(plane, change):
    check_agreement(plane, {}, change)


def check_agreement(plane, pod_change, container_change):
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = merged(
        {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
        pod_change,
    )  # fmt: skip
    container = {"name": "c", "image": "a:1", "securityContext": merged(context, container_change)}
    pod = {"metadata": {"name": "judged"}, "spec": {**spec, "containers": [container]}}
    status, text = plane.client.raw("POST", PODS, pod)
    assert status in {201, 403}, text
    assert (status == 201) == (violations(pod["spec"]) == []), text
