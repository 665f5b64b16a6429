"""What the cluster's processes are told, and where things lie."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from slipway_cluster import addons, cache, components, kubeconfig, kuberay, layout, pki, rendering

STATE = Path("/s")


@pytest.mark.parametrize(
    ("environment", "cached", "state"),
    [
        ({"HOME": "/h"}, "/h/.cache/slipway", "/h/.cache/slipway/cluster/state"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/slipway", "/x/slipway/cluster/state"),
        ({"HOME": "/h", "SLIPWAY_CACHE": "/c"}, "/c", "/c/cluster/state"),
        ({"SLIPWAY_CACHE": "/c", "SLIPWAY_CLUSTER_HOME": "/t"}, "/c", "/t"),
    ],
)
def test_folders(environment: dict[str, str], cached: str, state: str) -> None:
    found = cache.folders(environment)
    assert (str(found.cache), str(found.state)) == (cached, state)


def test_images_lie_in_the_cache_and_the_kubeconfig_in_the_state() -> None:
    found = cache.folders({"SLIPWAY_CACHE": "/c", "SLIPWAY_CLUSTER_HOME": "/t"})
    assert found.containerd.is_relative_to(found.cache)
    assert found.admin == Path("/t/admin.conf")


def test_containerd_has_its_own_root_state_and_socket() -> None:
    text = rendering.containerd(root=Path("/c/containerd"), state=STATE, cni=Path("/s/cni"))
    found = tomllib.loads(text)
    assert (found["root"], found["state"]) == ("/c/containerd", "/s/run/containerd")
    assert found["grpc"]["address"] == "/s/run/containerd.sock"
    cri = found["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == layout.PAUSE_IMAGE


def test_pods_get_addresses_of_the_nodes_part_of_the_range() -> None:
    found = json.loads(rendering.pod_network(Path("/s/leases")))
    (plugin,) = found["plugins"]
    assert plugin["ipam"]["ranges"] == [[{"subnet": layout.POD_SUBNET}]]
    assert plugin["ipam"]["dataDir"] == "/s/leases"


def test_the_kubelet_keeps_to_its_folder_and_its_images() -> None:
    found = json.loads(rendering.kubelet(state=STATE))
    assert found["containerRuntimeEndpoint"] == "unix:///s/run/containerd.sock"
    assert found["imageGCHighThresholdPercent"] == 100
    assert found["podLogsDir"].startswith("/s/")


@pytest.mark.parametrize(
    ("resolv", "servers"),
    [
        ("nameserver 9.9.9.9\nsearch x\n", ["9.9.9.9"]),
        ("# none\n", []),
        ("nameserver 127.0.0.53\nnameserver ::1\nnameserver 1.1.1.1 # x\n", ["1.1.1.1"]),
    ],
)
def test_other_names_go_to_resolvers_that_are_no_loop(resolv: str, servers: list[str]) -> None:
    found = rendering.upstreams(resolv)
    assert found == servers
    text = rendering.corefile(kubeconfig=Path("/s/coredns.conf"), upstreams=found)
    assert ("forward" in text) == bool(servers)
    assert text.count("{") == text.count("}")


def test_the_api_server_listens_where_it_is_told() -> None:
    shown = pki.Certificate(certificate=Path("/p/x.crt"), key=Path("/p/x.key"))
    argv = components.apiserver(
        Path("/bin/kube-apiserver"),
        address="127.0.0.1",
        ports=components.Ports(api=1, etcd=2, peer=3),
        authority=pki.Authority(folder=Path("/p")),
        identities=components.Identities(server=shown, kubelet_client=shown, front_proxy=shown),
    )
    assert {"--bind-address=127.0.0.1", "--secure-port=1"} < set(argv)
    assert "--etcd-servers=http://127.0.0.1:2" in argv
    assert "--authorization-mode=Node,RBAC" in argv


def test_controllers_are_listed() -> None:
    argv = components.controller_manager(
        Path("/bin/kcm"),
        kubeconfig=Path("/k"),
        authority=pki.Authority(folder=Path("/p")),
        controllers=["a", "b"],
    )
    assert "--controllers=a,b" in argv


def test_a_subject_carries_user_and_groups() -> None:
    assert pki.subject("system:node:n", ["system:nodes"]) == "/O=system:nodes/CN=system:node:n"
    assert pki.subject("a/b", []) == "/CN=a\\/b"


def test_names_and_addresses_are_told_apart() -> None:
    assert "subjectAltName=DNS:a.b,IP:10.0.0.1\n" in pki.extension_text(["a.b", "10.0.0.1"])


def test_a_kubeconfig_is_self_contained(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("PEM", "utf-8")
    text = kubeconfig.rendered(
        url="https://h:1", authority=authority, user=kubeconfig.by_token("t"), namespace="ns"
    )
    found = json.loads(text)
    assert found["clusters"][0]["cluster"]["certificate-authority-data"] == "UEVN"
    assert found["users"][0]["user"] == {"token": "t"}
    assert found["contexts"][0]["context"]["namespace"] == "ns"


def test_claims_of_twenty_and_of_a_hundred_gibibytes_find_volumes() -> None:
    sizes = list(addons.volume_sizes().values())
    assert sizes.count("20Gi") >= 16
    assert sizes.count("100Gi") >= 4
    objects = list(addons.storage(Path("/v")))
    (modes,) = {tuple(o.body["spec"]["accessModes"]) for o in objects[1:]}
    assert {"ReadWriteOnce", "ReadWriteMany"} <= set(modes)
    annotations = objects[0].body["metadata"]["annotations"]
    assert annotations == {"storageclass.kubernetes.io/is-default-class": "true"}


def test_every_addon_is_applied_under_its_own_name() -> None:
    objects = [*addons.rights(), *addons.dns(), *addons.storage(Path("/v"))]
    for applied in objects:
        assert applied.path.rsplit("/", 1)[1] == applied.body["metadata"]["name"]
        assert f"/{applied.body['apiVersion']}/" in applied.path
    assert len({applied.path for applied in objects}) == len(objects)


def test_kuberay_gets_our_image_and_namespace() -> None:
    found = kuberay.kustomization(base="b", image="docker.io/slipway/x:v1")
    assert found["namespace"] == "kuberay-system"
    assert found["images"] == [
        {"name": "quay.io/kuberay/operator", "newName": "docker.io/slipway/x", "newTag": "v1"}
    ]
    assert "images" not in kuberay.kustomization(base="b", image=None)
