"""A control plane without nodes: etcd, kube-apiserver and, if asked, some controllers.

For the apiserver test tier: real admission, real RBAC, real watches, no pods. It listens on
loopback with free ports, lives in one folder and dies with the process that started it.

    with ControlPlane(home, audit=True, controllers=CONTROLLERS, crds=[crds]) as plane:
        plane.kubeconfig                          # administrator's kubeconfig file
        plane.request("GET", "/api/v1/pods")      # as the administrator

docs/cluster.md shows the rest.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from . import cache, components, kubeconfig, pki, tools
from .client import JSON, YAML, Client
from .errors import ClusterError, ProcessError
from .processes import Leash, Process, wait_until

# What tests of an operator want: owners collect their children, namespaces end, accounts appear.
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)
ADDRESS = "127.0.0.1"
PATIENCE_SECONDS = 90.0
ATTEMPTS = 3
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Request"}],
}


class ControlPlane:
    """Started by ``__enter__`` (or ``start``), stopped and its data deleted by ``__exit__``.

    ``home``: a folder of its own; logs stay in it. ``audit``: log every request with its body.
    ``controllers``: names for kube-controller-manager, which is not started without any. ``crds``:
    files or folders of CustomResourceDefinitions, established before controllers start (the garbage
    collector would notice later ones only half a minute on). ``apiserver_flags``: appended.
    ``address``, ``ports``: where to listen, else loopback with free ports. ``leashed``: whether it
    dies with the process that started it.
    """

    def __init__(
        self,
        home: Path,
        *,
        audit: bool = False,
        controllers: Sequence[str] = (),
        crds: Iterable[Path] = (),
        apiserver_flags: Sequence[str] = (),
        folders: cache.Folders | None = None,
        address: str = ADDRESS,
        ports: components.Ports | None = None,
        leashed: bool = True,
    ) -> None:
        self.home = home.absolute()
        self.kubeconfig = self.home / "admin.conf"
        self.audit_log = self.home / "audit.log"
        self.address, self._ports, self._leashed = address, ports, leashed
        self.url = url_of(address, ports) if ports else ""
        self._audit, self._controllers = audit, tuple(controllers)
        self._crds, self._flags = tuple(crds), tuple(apiserver_flags)
        self._folders = folders or cache.folders()
        self._processes = [
            Process(home=self.home, name=name)
            for name in ("kube-controller-manager", "kube-apiserver", "etcd")
        ]
        self._leash: Leash | None = None
        self._authority = pki.Authority(folder=self.home / "pki")

    @property
    def ca(self) -> Path:
        """The certificate authority's certificate."""
        return self._authority.certificate

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it answers; MissingToolError where a binary is not built."""
        tools.require(self._folders, self._tools())
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.stop()  # what a killed run left in this folder
            self.home.mkdir(parents=True, exist_ok=True)
            self._authority = pki.create(self.home / "pki")
            self._admin = self._authority.issue("admin", user="admin", groups=["system:masters"])
            self._start_servers()
            self.install(*self._crds)
            if self._controllers:
                self._start_controllers()
            if self._leashed:
                self._leash = Leash([pid for process in self._processes if (pid := process.pid())])
            undo.pop_all()

    def running(self) -> dict[str, int | None]:
        """Pid by name of each process that should run; works from another process too."""
        return {process.name: process.pid() for process in self._processes}

    def stop(self) -> None:
        """Stop all and delete the data; logs and the audit log stay."""
        for process in self._processes:
            # Nothing here is worth a drain; etcd's data is deleted below.
            process.stop(patience=2.0 if process.name != "etcd" else 5.0)
        if self._leash is not None:
            self._leash.release()
            self._leash = None
        shutil.rmtree(self.home / "etcd", ignore_errors=True)

    def request(
        self, method: str, path: str, body: object = None, *, content_type: str = JSON
    ) -> dict[str, Any]:
        """As the administrator; ApiError (with ``status``) for a refusal."""
        return self.client.request(method, path, body, content_type=content_type)

    @property
    def client(self) -> Client:
        """The administrator's client; works from another process too where ports are given."""
        shown = pki.Certificate(
            certificate=self._authority.folder / "admin.crt",
            key=self._authority.folder / "admin.key",
        )
        return Client(self.url, authority=self.ca, certificate=shown)

    def create_namespace(self, name: str, *, labels: dict[str, str] | None = None) -> None:
        """A namespace; pod-security levels are its labels."""
        metadata = {"name": name, "labels": labels or {}}
        self.request("POST", "/api/v1/namespaces", {"metadata": metadata})

    def install(self, *paths: Path) -> None:
        """Create the CRDs in these files or folders (YAML or JSON) and wait until served."""
        files = [file for path in paths for file in _files(path)]
        made = [
            self.request("POST", CRD_PATH, file.read_bytes(), content_type=YAML) for file in files
        ]
        for crd in made:
            if not wait_until(partial(self._served, crd), seconds=30, every=0.05):
                raise ClusterError(f"the CRD {crd['metadata']['name']} is not served after 30 s")

    def token_for(
        self, serviceaccount: str, *, namespace: str = "default", seconds: int = 3600
    ) -> str:
        """A bearer token of an existing ServiceAccount, as a pod would get it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{serviceaccount}/token"
        spec = {"expirationSeconds": seconds}
        return str(self.request("POST", path, {"spec": spec})["status"]["token"])

    def certificate_for(self, user: str, *, groups: Sequence[str] = ()) -> pki.Certificate:
        """A client certificate of a user in groups."""
        return self._authority.issue(f"user-{_file_name(user)}", user=user, groups=groups)

    def kubeconfig_for(
        self, user: str, *, groups: Sequence[str] = (), namespace: str = "default"
    ) -> Path:
        """A kubeconfig file of a user in groups."""
        shown = kubeconfig.by_certificate(self.certificate_for(user, groups=groups))
        return self._write(f"user-{_file_name(user)}", shown, namespace)

    def kubeconfig_as(self, serviceaccount: str, *, namespace: str = "default") -> Path:
        """A kubeconfig file of an existing ServiceAccount."""
        shown = kubeconfig.by_token(self.token_for(serviceaccount, namespace=namespace))
        return self._write(f"sa-{namespace}-{serviceaccount}", shown, namespace)

    def component(
        self, name: str, *, user: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()
    ) -> Path:
        """A kubeconfig file of a component; its certificate is ``pki/<name>.crt``."""
        issued = self._authority.issue(name, user=user, groups=groups, hosts=hosts)
        return self._write(name, kubeconfig.by_certificate(issued), "default")

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Every finished request so far: verb, user, objectRef, responseStatus, requestObject."""
        with self.audit_log.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # the last one may be half written
                    yield json.loads(line)

    def _tools(self) -> list[str]:
        manager = ["kube-controller-manager"] if self._controllers else []
        return ["etcd", "kube-apiserver", *manager]

    def _start_servers(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._try_servers()
            except ProcessError as failed:
                # A free port can be taken between looking and listening.
                if attempt == ATTEMPTS or "address already in use" not in str(failed):
                    raise
                self.stop()
        return None

    def _try_servers(self) -> None:
        ports = self._ports or free_ports()
        self.url = url_of(self.address, ports)
        _, api, etcd = self._processes
        shutil.rmtree(self.home / "etcd", ignore_errors=True)
        etcd_binary = tools.path_of(self._folders, "etcd")
        etcd.start(components.etcd(etcd_binary, data=self.home / "etcd", ports=ports))
        api.start([*self._apiserver(ports), *self._loopback(), *self._audit_flags(), *self._flags])
        self._write("admin", kubeconfig.by_certificate(self._admin), "default")
        api.await_ready(self.client.ready, seconds=PATIENCE_SECONDS)

    def _apiserver(self, ports: components.Ports) -> list[str]:
        issue = self._authority.issue
        names = list(dict.fromkeys([*components.API_NAMES, self.address]))
        return components.apiserver(
            tools.path_of(self._folders, "kube-apiserver"),
            address=self.address,
            ports=ports,
            authority=self._authority,
            identities=components.Identities(
                server=issue("apiserver", user="kube-apiserver", hosts=names),
                kubelet_client=self._admin,
                front_proxy=issue("front-proxy", user="front-proxy"),
            ),
        )

    def _loopback(self) -> list[str]:
        # A Service may not point at loopback: without nodes nobody uses `kubernetes` anyway.
        return ["--endpoint-reconciler-type=none"] if self.address == ADDRESS else []

    def _audit_flags(self) -> list[str]:
        if not self._audit:
            return []
        policy = self.home / "audit-policy.json"
        policy.write_text(json.dumps(AUDIT_POLICY), "utf-8")
        self.audit_log.write_text("", "utf-8")
        return components.audit_flags(policy=policy, log=self.audit_log)

    def _start_controllers(self) -> None:
        user = "system:kube-controller-manager"
        self._processes[0].start(
            components.controller_manager(
                tools.path_of(self._folders, "kube-controller-manager"),
                kubeconfig=self.component("controllers", user=user),
                authority=self._authority,
                controllers=self._controllers,
            )
        )

    def _served(self, crd: dict[str, Any]) -> bool:
        # Established comes earlier than the storage, which answers 429 while it is made.
        spec = crd["spec"]
        base, plural = f"/apis/{spec['group']}", spec["names"]["plural"]
        served = [version["name"] for version in spec["versions"] if version["served"]]
        return all(self.client.ready(f"{base}/{name}/{plural}?limit=1") for name in served)

    def _write(self, name: str, user: dict[str, Any], namespace: str) -> Path:
        return kubeconfig.write(
            self.home / f"{name}.conf",
            url=self.url,
            authority=self.ca,
            user=user,
            namespace=namespace,
        )


def url_of(address: str, ports: components.Ports) -> str:
    """The API server's URL."""
    return f"https://{address}:{ports.api}"


def free_ports() -> components.Ports:
    """Three ports that nobody listens on right now."""
    with ExitStack() as held:
        numbers = []
        for _ in range(3):
            probe = held.enter_context(socket.socket())
            probe.bind((ADDRESS, 0))
            numbers.append(int(probe.getsockname()[1]))
    return components.Ports(api=numbers[0], etcd=numbers[1], peer=numbers[2])


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml", ".json"})


def _file_name(user: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in user)
