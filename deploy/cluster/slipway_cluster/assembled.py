"""The assembled one-node cluster: brought up in order, taken down without a trace.

``up`` on a running cluster changes nothing; on a broken one it ends what is left and starts afresh:
nothing in such a cluster is worth repairing. Binaries and images stay in the cache.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from . import (
    addons,
    components,
    images,
    kuberay,
    layout,
    network,
    preflight,
    remains,
    tools,
    volumes,
)
from .cache import Folders
from .containers import Containers
from .controlplane import ControlPlane
from .errors import ClusterError
from .node import Node
from .processes import Process

Say = Callable[[str], None]
APPLY = "application/apply-patch+yaml"
MANAGER = "slipway-cluster"
MARK = "assembled"


class Assembled:
    """The cluster in these folders, running or not."""

    def __init__(self, folders: Folders, *, say: Say) -> None:
        self.folders, self.say = folders, say
        self.plane = ControlPlane(
            folders.state,
            controllers=["*"],
            folders=folders,
            address=layout.NODE_ADDRESS,
            ports=layout.PORTS,
            leashed=False,
        )
        self.node = Node(folders=folders, plane=self.plane)
        self.containers = Containers(folders=folders)
        self.scheduler = Process(home=folders.state, name="kube-scheduler")
        self.reclaimer = Process(home=folders.state, name="volumes")

    def up(self, *, with_kuberay: bool, install: bool) -> None:
        """Start it, or say that it runs; ClusterError names what failed and its log."""
        preflight.check(self.folders.state, install=install)
        started = monotonic()
        with self._locked():
            if self.whole():
                self.say("already up")
            else:
                self._start(started)
            if with_kuberay:
                self._install_kuberay()
        self.say(f"up after {monotonic() - started:.0f} s")

    def down(self, *, force: bool = False) -> None:
        """End it; ClusterError lists what could not be removed. ``force``: even without a mark."""
        if not force and not self.marked():
            return self.say("not up")
        with self._locked():
            self._end()
        return self.say("down")

    def _end(self) -> None:
        for process in (self.reclaimer, *self.node.processes()[:1]):
            process.stop()
        if self.containers.process.pid():
            self.containers.clear()
        for process in (*self.node.processes()[1:], self.scheduler):
            process.stop(patience=5.0)
        self.plane.stop()
        self.containers.process.stop()
        remains.clear(self._mounted(), socket=self.containers.socket)
        network.remove()
        left = self.left()
        if left:
            # Deleting through a mount would delete what is mounted.
            raise ClusterError("could not remove:\n  " + "\n  ".join(left))
        shutil.rmtree(self.folders.state, ignore_errors=True)

    def left(self) -> list[str]:
        """What of it is on the machine although its processes ended."""
        running = [name for name, pid in self.running().items() if pid is not None]
        return [
            *(f"process {name}" for name in running),
            *remains.found(self._mounted(), socket=self.containers.socket),
            *network.remains(),
        ]

    def running(self) -> dict[str, int | None]:
        """Pid by name of every process that a whole cluster has."""
        others = [*self.node.processes(), self.containers.process, self.scheduler, self.reclaimer]
        return {**self.plane.running(), **{process.name: process.pid() for process in others}}

    def whole(self) -> bool:
        """Whether all runs and the node is Ready."""
        if not all(self.running().values()):
            return False
        return self.plane.client.ready() and self.node.ready()

    def status(self) -> list[str]:
        """Lines for a person."""
        if not self.marked():
            return ["down"]
        lines = [f"{name:24} {pid or 'not running'}" for name, pid in self.running().items()]
        if not all(self.running().values()):
            return [*lines, "broken: run cluster-down, or cluster to start afresh"]
        lines.append(f"{'node':24} {'Ready' if self.node.ready() else 'not Ready'}")
        available = "available" if kuberay.ready(self.plane.client) else "not available"
        return [*lines, f"{'KubeRay operator':24} {available}", f"kubeconfig: {self.folders.admin}"]

    def logs(self) -> dict[str, Path]:
        """Log by name of process."""
        return {name: Process(home=self.folders.state, name=name).log for name in self.running()}

    def load(self, paths: Sequence[Path]) -> None:
        """Import image archives into the node."""
        if not self.containers.process.pid():
            raise ClusterError("the cluster is down; run: make cluster")
        self.containers.load(paths, say=self.say)

    def _start(self, started: float) -> None:
        if self.marked():
            self.say("ending what is left of an earlier cluster")
            self._end()
        preflight.nobodys(self.folders.state)
        preflight.alone(self.left())
        kubectl = [] if shutil.which("kubectl") else ["kubectl"]
        tools.build(self.folders, ["cluster", *kubectl], say=self.say)
        pause = images.pause(self.folders)
        self.folders.state.mkdir(parents=True, exist_ok=True)
        (self.folders.state / MARK).touch()
        network.create()
        preflight.ports_free()
        self.containers.start()
        self.containers.load([pause], say=lambda _line: None)
        self.plane.start()
        self.say(f"API server ready after {monotonic() - started:.0f} s")
        scheduler = tools.path_of(self.folders, "kube-scheduler")
        user = "system:kube-scheduler"
        shown = self.plane.component("kube-scheduler", user=user)
        self.scheduler.start(components.scheduler(scheduler, kubeconfig=shown))
        self._apply([*addons.rights(), *addons.dns()])
        self.node.start()
        self.say(f"node Ready after {monotonic() - started:.0f} s")
        volumes.prepare(self.folders.state / "volumes")
        self._apply(addons.storage(self.folders.state / "volumes"))
        package = {"PYTHONPATH": str(Path(__file__).parents[1])}
        argv = [sys.executable, "-m", __package__ or "slipway_cluster", "reclaim"]
        self.reclaimer.start(argv, environment=package)

    def _install_kuberay(self) -> None:
        if kuberay.ready(self.plane.client):
            return
        self.containers.load([images.kuberay(self.folders)], say=lambda _line: None)
        kuberay.apply(
            kuberay.manifests(self.folders),
            kubeconfig=self.folders.admin,
            kubectl=tools.kubectl(self.folders),
        )
        kuberay.await_ready(self.plane.client)

    def _apply(self, objects: Sequence[addons.Applied] | Iterator[addons.Applied]) -> None:
        for applied in objects:
            path = f"{applied.path}?fieldManager={MANAGER}&force=true"
            self.plane.request("PATCH", path, applied.body, content_type=APPLY)

    def _mounted(self) -> list[Path]:
        return [self.folders.state, self.folders.containerd]

    def marked(self) -> bool:
        return (self.folders.state / MARK).exists()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.folders.state.with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
