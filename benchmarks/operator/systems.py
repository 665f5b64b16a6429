"""The two operators as processes, and what they cost: CPU time, memory, writes.

Writes are counted in the API server's own audit log, by the operator's user. Renewals of a lease
are not effects and are counted apart.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.operator.cluster import NAMESPACE, ROOT, Cluster

from slipway_contracts.metrics.operator import RECONCILE

TICKS = os.sysconf("SC_CLK_TCK")
PASSES = f"{RECONCILE.name}_count"
STOCK = ROOT / "benchmarks" / "peers" / "stock_kopf.py"
PLATFORM = {
    "release": "slipway",
    "images": {
        "engine": "docker.io/slipway/engine:dev",
        "training": "docker.io/slipway/training:dev",
    },
}


# What operator/Dockerfile sets for the process.
CONTAINER = {"MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How one operator is started, and where it says that it is ready."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    ready: str
    metrics: str = ""


def slipway(cluster: Cluster, folder: Path, dsn: str) -> Launch:
    """Ours, as in its container but for the addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    platform = folder / "platform.yaml"
    platform.write_text(json.dumps(PLATFORM), "utf-8")
    port = free_port()
    settings = {
        "PLATFORM": "kubernetes",
        "DSN": dsn,
        "NAMESPACE": NAMESPACE,
        "PLATFORM_FILE": str(platform),
        "IDENTITY": "bench",
        "KUBECONFIG": str(cluster.operator_kubeconfig),
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": str(port),
    }
    return Launch(
        name="slipway",
        argv=(sys.executable, "-m", "slipway_operator"),
        environment=CONTAINER
        | {f"SLIPWAY_OPERATOR_{name}": value for name, value in settings.items()},
        ready=f"http://127.0.0.1:{port}/readyz",
        metrics=f"http://127.0.0.1:{port}/metrics",
    )


def stock_kopf(cluster: Cluster) -> Launch:
    """The peer, as Kopf's documentation starts it."""
    ready = f"http://127.0.0.1:{free_port()}/healthz"
    options = ("--standalone", "--namespace", NAMESPACE, "--liveness", ready)
    return Launch(
        name="stock_kopf",
        argv=(sys.executable, "-m", "kopf", "run", *options, str(STOCK)),
        environment={"KUBECONFIG": str(cluster.operator_kubeconfig)},
        ready=ready,
    )


class Running:
    """A started operator. ``peak_mib`` is the kernel's high-water mark of its memory."""

    def __init__(self, launch: Launch, log: Path) -> None:
        self._launch = launch
        self._log: IO[bytes] = log.open("ab")
        self.log = log
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            launch.argv,
            env={**os.environ, **launch.environment},
            cwd=log.parent,
            stdout=self._log,
            stderr=self._log,
        )

    def await_ready(self, seconds: float) -> None:
        """Until it says that it is."""
        end = time.monotonic() + seconds
        while not self._answers():
            if time.monotonic() > end:
                raise RuntimeError(f"{self._launch.name} is not ready after {seconds:.0f} s")
            time.sleep(0.2)

    def _answers(self) -> bool:
        self.check()
        try:
            with urllib.request.urlopen(self._launch.ready, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        self.check()
        return _cpu_ticks(self.process.pid) / TICKS

    def peak_mib(self) -> float:
        self.check()
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def passes(self) -> int | None:
        """Passes that it counts itself; None where it does not."""
        if not self._launch.metrics:
            return None
        with urllib.request.urlopen(self._launch.metrics, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        count = next(line for line in lines if line.startswith(PASSES))
        return int(float(count.split()[-1]))

    def check(self) -> None:
        """RuntimeError with the log's end when it is not there any more."""
        if self.process.poll() is not None:
            tail = self.log.read_text("utf-8", "replace")[-2000:]
            code = self.process.returncode
            raise RuntimeError(f"{self._launch.name} ended with {code}; {self.log} ends:\n{tail}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class Writes:
    """The audit log, read on from where it was read to."""

    def __init__(self, log: Path) -> None:
        self._lines = log.open(encoding="utf-8")
        self._rest = ""

    def since(self) -> Counter[str]:
        """``verb resource`` → how many writes were answered since the last call."""
        found: Counter[str] = Counter()
        *lines, self._rest = (self._rest + self._lines.read()).split("\n")
        for line in lines:
            event = json.loads(line)
            what = event["objectRef"]
            kind = "/".join(filter(None, (what["resource"], what.get("subresource"))))
            found[f"{event['verb']} {kind}"] += 1
        return found


def effects(writes: Counter[str]) -> int:
    """All writes but those of leases."""
    return sum(count for what, count in writes.items() if not what.endswith(" leases"))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Machine:
    """How much of the machine's CPU time others took, since it was last asked: what a wall-clock
    figure is worth. ``ours``: the pids of the cluster, the operator and this process.
    """

    def __init__(self) -> None:
        self._at, self._busy, self._ours = time.monotonic(), _busy_ticks(), dict[int, int]()

    def elsewhere(self, ours: Iterable[int]) -> float:
        """A share of all cores, from 0 to 1."""
        before = (self._at, self._busy, self._ours)
        now = {pid: _cpu_ticks(pid) for pid in ours}
        self._at, self._busy, self._ours = time.monotonic(), _busy_ticks(), now
        mine = sum(ticks - before[2].get(pid, 0) for pid, ticks in now.items())
        capacity = (self._at - before[0]) * TICKS * (os.cpu_count() or 1)
        return min(1.0, max(0.0, (self._busy - before[1] - mine) / capacity))


def _busy_ticks() -> int:
    """User, nice, system, interrupts and what a hypervisor took."""
    fields = Path("/proc/stat").read_text("utf-8").splitlines()[0].split()[1:]
    return sum(int(fields[place]) for place in (0, 1, 2, 5, 6, 7))


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
