"""A Slipway release on the test cluster: brought there as a user would, driven by kubectl and helm.

Cluster, images and tools are built once and cached (``deploy/cluster``, ``deploy/images``); a
release is a namespace of its own, gone when it is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slipway_cli.demo.clients import Clients
from slipway_cli.demo.cluster import Kubectl
from slipway_cli.demo.evidence import LogEvidence, await_shipped, read_log
from slipway_cli.demo.ledger import Entry, join_log, read_ledger
from slipway_cli.demo.on_cluster import moved
from slipway_cluster import release
from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of
from slipway_store.connect import open_pool

ROOT = Path(__file__).parents[2]
# Engines start in about a minute; beside two others and a training it takes several.
DEADLINE = 600.0


MODEL = "jargon"
A_MODEL: dict[str, Any] = {
    "apiVersion": "slipway.dev/v1alpha1",
    "kind": "Model",
    "metadata": {"name": MODEL},
    "spec": {
        "serving": {
            "engine": {"dtype": "float32", "maxModelLen": 512, "enforceEager": True},
            "resources": {"gpu": 0, "cpu": 1, "memory": "4Gi"},
        },
        "rollout": {
            "postPromotionWatch": "1s",
            # Engines, clients and the cluster itself share two cores.
            "analysis": {"latencyTolerance": 3},
        },
    },
}
UNGATED: dict[str, Any] = {"suites": [], "gates": []}


def a_version(name: str, source: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A ModelVersion's manifest."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {"name": name},
        "spec": {"model": MODEL, "source": source, **spec},
    }


def cluster_runs() -> bool:
    """Whether the cluster of ``make cluster`` is up and whole."""
    return _deploy("cluster", "status", check=False) == 0


def cluster_up() -> None:
    """As ``make cluster``."""
    _deploy("cluster", "up")


def cluster_down() -> None:
    """As ``make cluster-down``."""
    _deploy("cluster", "down")


def prometheus_in() -> None:
    """The Prometheus operator and a Prometheus that it makes, in a namespace of their own."""
    _deploy("cluster", "prometheus")


def images_in() -> None:
    """The images of this checkout, built and brought to the cluster."""
    _deploy("images", "build")
    _deploy("images", "load")


@dataclass(slots=True, kw_only=True)
class Release:
    """One installed release. Everything that a person would do from outside."""

    home: Path
    namespace: str = "slipway"
    name: str = release.NAME
    values: dict[str, Any] = field(default_factory=dict)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Its output; a failure carries what kubectl said."""
        return _run(["kubectl", "-n", self.namespace, *arguments], stdin=stdin, check=check)

    def helm(self, *arguments: str) -> str:
        """As ``kubectl``."""
        return _run([str(path_of(folders(), "helm")), "-n", self.namespace, *arguments])

    def install(self) -> None:
        """The chart with ``values`` on top, until everything of the release is ready."""
        own = self.home / "values.yaml"
        own.write_text(yaml.safe_dump(self.values))
        release.install(folders(), self.namespace, own, say=print)

    @contextmanager
    def upgraded(self, values: dict[str, Any]) -> Iterator[None]:
        """With these values until the block ends, however it does."""
        self.values = values
        try:
            self.install()
            yield
        finally:
            self.values = {}
            self.install()

    def object_store(self) -> None:
        """From now on artifacts are published to a MinIO in the cluster."""
        _deploy("cluster", "tools", "minio")
        _deploy("cluster", "minio", "--namespace", self.namespace)
        self.values = yaml.safe_load((ROOT / "deploy/cluster/values-minio.yaml").read_text())
        self.install()

    def remove(self) -> None:
        """The whole namespace, which must not stick."""
        release.remove(folders(), self.namespace, say=print)

    def get(self, kind: str, name: str = "", *more: str) -> Any:
        """JSON of an object, or the items of a list; None where there is no such object."""
        named = [name] if name else []
        text = self.kubectl("get", kind, *named, *more, "--ignore-not-found", "-o", "json")
        body = json.loads(text) if text.strip() else None
        return body if name else (body or {"items": []})["items"]

    def apply(self, *bodies: dict[str, Any]) -> None:
        """``kubectl apply``, strict."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))

    def version(self, name: str) -> dict[str, Any]:
        """A ModelVersion's status; empty before it has one."""
        found = self.get("modelversion", name)
        return (found or {}).get("status") or {}

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """One condition of a ModelVersion; empty before it is there."""
        conditions = self.version(name).get("conditions", ())
        return next((c for c in conditions if c["type"] == kind), {})

    def source_of(self, version: str) -> dict[str, Any]:
        """The same bytes as another version serves, with nothing to train."""
        artifact = self.version(version)["artifact"]
        return {"artifact": {"uri": artifact["uri"], "digest": artifact["digest"]}}

    def jobs_of(self, version: str) -> list[Any]:
        """Its Jobs that exist."""
        return list(self.get("jobs", "", "-l", f"slipway.dev/version={version}"))

    def until(self, what: str, reached: Callable[[], Any], *, seconds: float = DEADLINE) -> Any:
        """What ``reached`` gives once it is true. AssertionError with the release's state."""
        deadline = time.monotonic() + seconds
        while not (result := reached()):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:.0f} s for {what}\n{self.state()}")
            time.sleep(0.5)
        return result

    def phase(self, name: str, *phases: str, seconds: float = DEADLINE) -> str:
        """Wait until the version is in one of the phases."""
        said = " or ".join(phases)
        self.until(
            f"{name} to be {said}",
            lambda: self.version(name).get("phase") in phases,
            seconds=seconds,
        )
        return str(self.version(name)["phase"])

    def state(self) -> str:
        """What a person would look at first."""
        wanted = "models,modelversions,rayservices,jobs,pods"
        shown = self.kubectl("get", wanted, "-o", "wide", check=False)
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)
        logs = self.kubectl(
            "logs", "-l", "app.kubernetes.io/component=operator", "--tail=40", check=False
        )
        return "\n".join([shown, *events.splitlines()[-40:], logs])

    @property
    def gateway_url(self) -> str:
        """The gateway's Service, as this machine reaches it."""
        spec = self.get("service", f"{self.name}-gateway")["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    @property
    def key(self) -> str:
        """The first key."""
        return asyncio.run(
            Kubectl(namespace=self.namespace).secret(f"{self.name}-first-key", "key")
        )

    @contextmanager
    def traffic(self, *, rate: float = 5.0) -> Iterator[Traffic]:
        """Clients that ask until the block ends, then all their answers are booked."""
        clients = Clients(
            url=self.gateway_url,
            ledger=self.home / "ledger.jsonl",
            log=self.home / "traffic.log",
            rate=rate,
            key=self.key,
        )
        clients.start()
        traffic = Traffic(release=self, ledger=clients.ledger)
        try:
            yield traffic
            clients.require_alive()
        finally:
            asyncio.run(clients.stop())

    def log_of(self, model: str, *, until: float) -> LogEvidence:
        """The attempts log once every gateway has shipped up to ``until`` (unix seconds)."""
        return asyncio.run(self._log_of(model, until))

    async def _log_of(self, model: str, until: float) -> LogEvidence:
        kubectl = Kubectl(namespace=self.namespace)
        dsn = await kubectl.secret(f"{self.name}-database", "dsn")
        service = f"service/{self.name}-postgres"
        async with kubectl.listening("port-forward", service, ":5432") as port:
            pool = await open_pool(moved(dsn, port))
            try:
                assert await await_shipped(pool, until), "a gateway has not shipped its log"
                return await read_log(pool, model)
            finally:
                await pool.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the clients of one block saw."""

    release: Release
    ledger: Path

    def entries(self) -> list[Entry]:
        """Every request that has ended."""
        return read_ledger(self.ledger)

    def grows(self, by: int, version: str | None = None) -> None:
        """Wait for so many more good answers, of a version or of any."""

        def good() -> int:
            return sum(e.ok and version in (None, e.version) for e in self.entries())

        wanted = good() + by
        self.release.until(f"{by} more answers of {version or 'any'}", lambda: good() >= wanted)

    def check(self, model: str, *, bad_of: frozenset[str] = frozenset()) -> None:
        """Nothing failed but answers of ``bad_of``; log rows = answers, versions as said."""
        entries = self.entries()
        failed = [e for e in entries if not e.ok and e.version not in bad_of]
        assert not failed, failed[:5]
        log = self.release.log_of(model, until=time.time())
        join = join_log(entries, log.attempts)
        missing = [e for e in entries if e.request_id in set(join.missing)]
        assert not missing, (len(missing), missing[:5])
        assert (join.duplicates, join.version_mismatches) == ((), ())


def use_kubeconfig() -> None:
    """The test cluster's, for every kubectl and helm of this process."""
    os.environ["KUBECONFIG"] = str(folders().admin)


def _deploy(tool: str, *arguments: str, check: bool = True) -> int:
    argv = [sys.executable, f"deploy/{tool}", *arguments]
    return subprocess.run(argv, cwd=ROOT, check=check).returncode


def _run(argv: list[str], *, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv[:8])}: {done.stderr.strip()}")
    return done.stdout
