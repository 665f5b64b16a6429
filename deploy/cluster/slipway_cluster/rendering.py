"""Configuration files of the node's processes, as text; pure, so that tests can read them."""

from __future__ import annotations

import json
from pathlib import Path

from . import layout
from .components import CLUSTER_DOMAIN


def containerd(*, root: Path, state: Path, cni: Path) -> str:
    """containerd with its own root, state and socket."""
    return f"""version = 2
root = "{root}"
state = "{state / "run" / "containerd"}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{layout.containerd_socket(state)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE runc could not lower a score and would fail.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{layout.CNI_BINARIES}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def pod_network(leases: Path) -> str:
    """CNI: a bridge, addresses from the node's subnet, masquerading to the outside."""
    bridge = {
        "type": "bridge",
        "bridge": layout.POD_BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(leases),
            "ranges": [[{"subnet": layout.POD_SUBNET}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    body = {"cniVersion": "1.0.0", "name": layout.POD_NETWORK, "plugins": [bridge]}
    return json.dumps(body, indent=1) + "\n"


def kubelet(*, state: Path) -> str:
    """KubeletConfiguration; the disk is shared with the machine, so nothing is evicted early."""
    pki = state / "pki"
    body = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.NODE_ADDRESS,
        "port": layout.KUBELET_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [layout.DNS_ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket(state)}",
        # Images stay in the cache for the next cluster.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        "resolvConf": "",
        "maxPods": 110,
        "volumePluginDir": str(state / "volume-plugins"),
        "podLogsDir": str(state / "log" / "pods"),
    }
    return json.dumps(body, indent=1) + "\n"


def corefile(*, kubeconfig: Path, upstreams: list[str]) -> str:
    """CoreDNS on the node's address; other names go to the machine's resolvers, if it has any."""
    forward = f"  forward . {' '.join(upstreams)}\n" if upstreams else ""
    return f""".:53 {{
  bind {layout.NODE_ADDRESS}
  errors
  ready {layout.NODE_ADDRESS}:{layout.DNS_READY_PORT}
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
  }}
  cache 5
{forward}}}
"""


def upstreams(resolv_conf: str) -> list[str]:
    """Name servers that a process on this machine reaches and that are not a loop to itself."""
    fields = [line.split() for line in resolv_conf.splitlines()]
    found = [words[1] for words in fields if len(words) > 1 and words[0] == "nameserver"]
    return [server for server in found if not server.startswith("127.") and server != "::1"]
