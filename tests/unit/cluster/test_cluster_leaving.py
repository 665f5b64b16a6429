"""What ``down`` recognises as a cluster's, and what it must leave alone."""

from __future__ import annotations

import json
from pathlib import Path

from slipway_cluster import addons, network, remains, volumes

NAT = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:CNI-01 - [0:0]
:DOCKER - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -j DOCKER
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"slipway\\" id" -j CNI-01
-A CNI-01 ! -d 224.0.0.0/4 -m comment --comment "name: \\"slipway\\" id" -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-A
COMMIT
"""


def test_our_chains_are_flushed_then_unlinked_then_deleted() -> None:
    lines = network.clearing("nat", NAT).splitlines()
    assert lines[:3] == ["*nat", "-F KUBE-SERVICES", "-F CNI-01"]
    assert lines[3].startswith("-D PREROUTING -m comment")
    assert lines[4].startswith("-D POSTROUTING -s 10.244.0.2/32")
    assert lines[5:] == ["-X KUBE-SERVICES", "-X CNI-01", "COMMIT"]


def test_others_rules_stay() -> None:
    assert "DOCKER" not in network.clearing("nat", NAT)
    only = ":DOCKER - [0:0]\n-A PREROUTING -j DOCKER\n"
    assert network.clearing("nat", only) == ""
    assert network.clearing("nat", "") == ""


def test_a_pods_network_namespace_is_in_its_result() -> None:
    interfaces = [
        {"name": "slipway-pods"},
        {"name": "eth0", "sandbox": "/var/run/netns/cni-1"},
    ]
    assert network.sandboxes(json.dumps({"result": {"interfaces": interfaces}})) == {"cni-1"}
    assert network.sandboxes("{}") == set()


def test_mounts_under_our_folders_deepest_first() -> None:
    table = (
        "tmpfs /s/kubelet/pods/a/volumes/x tmpfs rw 0 0\n"
        "overlay /s/run/r\\040s overlay rw 0 0\n"
        "ext4 / ext4 rw 0 0\n"
        "tmpfs /state tmpfs rw 0 0\n"
    )
    assert remains.mounts([Path("/s")], table) == ["/s/kubelet/pods/a/volumes/x", "/s/run/r s"]


def test_only_released_volumes_of_the_pool_come_back() -> None:
    ours, other = list(addons.volume_sizes())[:2]
    items = [
        {"metadata": {"name": ours}, "status": {"phase": "Released"}},
        {"metadata": {"name": other}, "status": {"phase": "Bound"}},
        {"metadata": {"name": "a-users-own"}, "status": {"phase": "Released"}},
    ]
    assert volumes.released({"items": items}) == [ours]


def test_emptying_never_follows_a_link(tmp_path: Path) -> None:
    precious, volume = tmp_path / "precious", tmp_path / "volume"
    (volume / "folder" / "deep").mkdir(parents=True)
    precious.mkdir()
    (precious / "file").write_text("x", "utf-8")
    (volume / "link").symlink_to(precious)
    (volume / "file").write_text("x", "utf-8")
    volumes.empty(volume)
    assert list(volume.iterdir()) == []
    assert (precious / "file").exists()
    assert volume.stat().st_mode & 0o777 == 0o777
