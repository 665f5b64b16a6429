"""The command lines of the control plane, as pure functions of where things are.

Both users share them: the control plane of a test and the assembled cluster. Nothing is started and
nothing is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .pki import Authority, Certificate

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"  # the API server's own, the first of the range
POD_RANGE = "10.244.0.0/16"
CLUSTER_DOMAIN = "cluster.local"
API_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    "localhost",
    "127.0.0.1",
    SERVICE_ADDRESS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports of one control plane on one address."""

    api: int
    etcd: int
    peer: int

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """Certificates that the API server itself shows."""

    server: Certificate
    kubelet_client: Certificate
    front_proxy: Certificate


def etcd(binary: Path, *, data: Path, ports: Ports) -> list[str]:
    """etcd on loopback; not synced to disk: a power cut loses a test cluster, nothing more."""
    peer = f"http://127.0.0.1:{ports.peer}"
    return [
        str(binary),
        f"--data-dir={data}",
        f"--listen-client-urls={ports.etcd_url}",
        f"--advertise-client-urls={ports.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(
    binary: Path, *, address: str, ports: Ports, authority: Authority, identities: Identities
) -> list[str]:
    """The API server with node and role authorization, as kubeadm would set it up."""
    return [
        str(binary),
        f"--etcd-servers={ports.etcd_url}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={ports.api}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        # Else `kubectl logs` looks the node's name up.
        "--kubelet-preferred-address-types=InternalIP",
        f"--client-ca-file={authority.certificate}",
        f"--tls-cert-file={identities.server.certificate}",
        f"--tls-private-key-file={identities.server.key}",
        f"--kubelet-client-certificate={identities.kubelet_client.certificate}",
        f"--kubelet-client-key={identities.kubelet_client.key}",
        f"--service-account-key-file={authority.service_account_public}",
        f"--service-account-signing-key-file={authority.service_account_key}",
        f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        f"--requestheader-client-ca-file={authority.certificate}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={identities.front_proxy.certificate}",
        f"--proxy-client-key-file={identities.front_proxy.key}",
    ]


def audit_flags(*, policy: Path, log: Path) -> list[str]:
    """Every request is in the log before its answer is sent."""
    return [
        f"--audit-policy-file={policy}",
        f"--audit-log-path={log}",
        "--audit-log-mode=blocking-strict",
    ]


def controller_manager(
    binary: Path, *, kubeconfig: Path, authority: Authority, controllers: Sequence[str] = ("*",)
) -> list[str]:
    """Controllers by name; ``*`` is all that are on by default."""
    return [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(controllers)}",
        f"--root-ca-file={authority.certificate}",
        f"--service-account-private-key-file={authority.service_account_key}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        "--use-service-account-credentials",
        "--allocate-node-cidrs",
        f"--cluster-cidr={POD_RANGE}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--leader-elect=false",
        # One node, one user: no port to collide on. Its log says whether it works.
        "--secure-port=0",
    ]


def scheduler(binary: Path, *, kubeconfig: Path) -> list[str]:
    """The scheduler, alone."""
    return [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
