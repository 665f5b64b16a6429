"""The one node: kubelet, kube-proxy and CoreDNS, beside the containerd that is already there."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import components, layout, rendering, tools
from .cache import Folders
from .controlplane import ControlPlane
from .processes import Process

NODE_SECONDS = 120.0
RESOLV_CONF = Path("/etc/resolv.conf")
# Stopped in this order: the kubelet first, or it would restart what is being ended.
NAMES = ("kubelet", "kube-proxy", "coredns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The node of the control plane in these folders."""

    folders: Folders
    plane: ControlPlane

    def processes(self) -> list[Process]:
        return [Process(home=self.folders.state, name=name) for name in NAMES]

    def start(self) -> None:
        """Start all three; waits for the node to be Ready and for DNS to answer."""
        state = self.folders.state
        self._configure()
        kubelet, proxy, dns = self.processes()
        kubelet.start(self._kubelet())
        proxy.start(self._proxy())
        dns.start([tools.path_of(self.folders, "coredns"), "-conf", state / "Corefile"])
        kubelet.await_ready(self.ready, seconds=NODE_SECONDS)
        dns.await_ready(dns_ready, seconds=NODE_SECONDS)

    def ready(self) -> bool:
        """Whether the node says so."""
        status, text = self.plane.client.raw("GET", f"/api/v1/nodes/{layout.NODE}")
        return status == 200 and '"type":"Ready","status":"True"' in text.replace(" ", "")

    def _configure(self) -> None:
        state = self.folders.state
        hosts = [layout.NODE, layout.NODE_ADDRESS]
        node_user = f"system:node:{layout.NODE}"
        component = self.plane.component
        component("kubelet", user=node_user, groups=["system:nodes"], hosts=hosts)
        component("kube-proxy", user="system:kube-proxy")
        coredns = component("coredns", user="system:coredns")
        (state / "kubelet.json").write_text(rendering.kubelet(state=state), "utf-8")
        servers = rendering.upstreams(RESOLV_CONF.read_text("utf-8"))
        corefile = rendering.corefile(kubeconfig=coredns, upstreams=servers)
        (state / "Corefile").write_text(corefile, "utf-8")

    def _kubelet(self) -> Sequence[str | Path]:
        state = self.folders.state
        return [
            tools.path_of(self.folders, "kubelet"),
            f"--config={state / 'kubelet.json'}",
            f"--kubeconfig={state / 'kubelet.conf'}",
            f"--root-dir={state / 'kubelet'}",
            f"--cert-dir={state / 'pki'}",
            f"--node-ip={layout.NODE_ADDRESS}",
            f"--hostname-override={layout.NODE}",
            "--v=1",
        ]

    def _proxy(self) -> Sequence[str | Path]:
        return [
            tools.path_of(self.folders, "kube-proxy"),
            f"--kubeconfig={self.folders.state / 'kube-proxy.conf'}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={components.POD_RANGE}",
            f"--hostname-override={layout.NODE}",
            # The machine's connection tracking is not ours to tune.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ]


def dns_ready() -> bool:
    """Whether CoreDNS has read the cluster's Services."""
    address = f"http://{layout.NODE_ADDRESS}:{layout.DNS_READY_PORT}/ready"
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
