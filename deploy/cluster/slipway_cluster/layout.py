"""Addresses, names and ports of the assembled one-node cluster.

Fixed, so that its parts and its users find each other without asking; one such cluster a machine.
"""

from __future__ import annotations

from pathlib import Path

from .components import Ports

NODE = "slipway-node"
# A bridge of its own holds the node's address, so that pods reach it whatever the machine's is.
NODE_ADDRESS = "10.10.0.1"
NODE_BRIDGE = "slipway-node"
POD_BRIDGE = "slipway-pods"
POD_SUBNET = "10.244.0.0/24"  # the one node's part of components.POD_RANGE
POD_NETWORK = "slipway"
DNS_ADDRESS = "10.96.0.10"
DNS_READY_PORT = 8181
PORTS = Ports(api=6443, etcd=12379, peer=12380)
KUBELET_PORT = 10250
# Taken ports are found before anything is started.
LISTENS = ((NODE_ADDRESS, PORTS.api), ("127.0.0.1", PORTS.etcd), ("127.0.0.1", PORTS.peer))
CNI_BINARIES = Path("/usr/lib/cni")
PAUSE_IMAGE = "docker.io/slipway/pause:1"


def containerd_socket(state: Path) -> Path:
    """containerd's own socket, not the machine's."""
    return state / "run" / "containerd.sock"
