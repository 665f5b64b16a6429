"""``slipway up``: starts what is missing, adopts what still runs, restarts what dies.

A supervisor that was killed leaves its processes and their records; the next one finds them and
carries on. One supervisor a home, by a file lock. It knows processes, not Models.
"""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from slipway_cli.errors import CliError, Conflict
from slipway_cli.local import process
from slipway_cli.local.endpoints import LOOPBACK, Endpoints, choose
from slipway_cli.local.layout import Layout, LocalState
from slipway_cli.local.observe import PROMETHEUS, find_node_exporter, observer_plans, write_config
from slipway_cli.local.plan import GATEWAYS, process_plans
from slipway_cli.local.process import ProcessPlan, ProcessRecord
from slipway_cli.local.targets import remove_targets, targets, write_targets
from slipway_store import embedded
from slipway_store.migrate import migrate

READY_SECONDS = 120.0
POLL_SECONDS = 0.5
# How often PostgreSQL is looked after: starting it is a no-op while it runs.
POSTGRES_SECONDS = 5.0
STOP_SECONDS = 30.0
SUPERVISOR_STOP_SECONDS = 150.0
RESTART_DELAYS = (0.0, 1.0, 2.0, 5.0, 10.0)
# A process that lived this long has recovered: its next restart is immediate again.
HEALTHY_SECONDS = 30.0


class AlreadyRunning(Conflict):
    """Another supervisor holds this home."""


class NotReady(CliError):
    """A process did not come up; the message names its log."""


@contextmanager
def held_home(layout: Layout) -> Iterator[None]:
    """The home's lock. Raises AlreadyRunning."""
    layout.home.mkdir(parents=True, exist_ok=True)
    with layout.lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"slipway is up already in {layout.home}; `slipway down` stops it"
            ) from None
        layout.ready_file.unlink(missing_ok=True)
        own = process.this_process("supervisor")
        process.write_records(layout.supervisor_file, {own.name: own})
        yield


def take_down(layout: Layout, *, say: Callable[[str], None]) -> None:
    """End the supervisor, which stops its processes, then stop what a killed one left behind."""
    for record in process.read_records(layout.supervisor_file).values():
        supervisor = record.living()
        if supervisor is not None:
            say("stopping the supervisor and what it started")
            supervisor.terminate()
            psutil.wait_procs([supervisor], timeout=SUPERVISOR_STOP_SECONDS)
    stop_home(layout, say=say)


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """The processes of one home. ``say`` gets a line for a person at each step."""

    layout: Layout
    host: str = LOOPBACK
    port: int = 8000
    observe: bool = False
    say: Callable[[str], None] = print
    _plans: dict[str, ProcessPlan] = field(default_factory=dict)
    _records: dict[str, ProcessRecord] = field(default_factory=dict)
    _restarts: dict[str, int] = field(default_factory=dict)
    _restart_at: dict[str, float] = field(default_factory=dict)
    _postgres_due: float = 0.0
    _state: LocalState | None = None

    def start(self) -> LocalState:
        """Everything up and answering. Raises PortTaken, NotReady; safe to call after a kill."""
        self.say("starting PostgreSQL")
        dsn = embedded.start(self.layout.postgres)
        asyncio.run(migrate(dsn))
        self._records = process.read_records(self.layout.processes_file)
        endpoints = self._endpoints()
        state = endpoints.state(dsn=dsn, home=str(self.layout.home))
        write_config(self.layout, endpoints)
        plans = process_plans(self.layout, endpoints, state)
        plans += observer_plans(self.layout, endpoints)
        self._plans = {plan.name: plan for plan in plans}
        for plan in self._plans.values():
            self._ensure(plan)
        self.layout.write_state(state)
        self._state = state
        self._await_ready(state)
        return state

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch from a thread of its own while the caller does something else."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(POLL_SECONDS):
                self.watch_once()

        thread = threading.Thread(target=watch, name="supervisor")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def watch_once(self) -> None:
        """Restart what died, with growing delays for what keeps dying."""
        process.reap()
        self._restart_dead()
        if self._state is not None:
            living = {name for name, record in self._records.items() if record.living()}
            write_targets(self.layout.targets, targets(self._state, living))

    def _restart_dead(self) -> None:
        now = time.monotonic()
        for name, plan in self._plans.items():
            living = self._records[name].living()
            if living is not None:
                if time.time() - self._records[name].started > HEALTHY_SECONDS:
                    self._restarts.pop(name, None)
                continue
            due = self._restart_at.setdefault(name, now + self._restart_delay(name))
            if now >= due:
                del self._restart_at[name]
                self._restarts[name] = self._restarts.get(name, 0) + 1
                self.say(f"{name} ended; starting it again (log: {plan.log})")
                self._ensure(plan)
        if now >= self._postgres_due:
            self._postgres_due = now + POSTGRES_SECONDS
            embedded.start(self.layout.postgres)

    def stop(self) -> None:
        """Worker and gateways first (they drain), then the controller, runs, Ray, PostgreSQL."""
        stop_home(self.layout, say=self.say)

    def _endpoints(self) -> Endpoints:
        """Those of the last supervisor while one of its processes lives."""
        state = self.layout.read_state()
        if state is None or not any(r.living() for r in self._records.values()):
            found = choose(self.host, self.port, gateways=GATEWAYS)
        else:
            found = Endpoints.of(state)
        if not self.observe:
            return found
        return found.observed(node_exporter=find_node_exporter() is not None)

    def _ensure(self, plan: ProcessPlan) -> None:
        record = self._records.get(plan.name)
        if record is not None and record.living() is not None:
            return
        self.say(f"starting {plan.name}")
        self._records[plan.name] = process.start(plan)
        process.write_records(self.layout.processes_file, self._records)

    def _restart_delay(self, name: str) -> float:
        return RESTART_DELAYS[min(self._restarts.get(name, 0), len(RESTART_DELAYS) - 1)]

    def _await_ready(self, state: LocalState) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = {
            "ray": f"{state.dashboard_url}/api/version",
            "gateway-0": f"{state.gateway_url}/ready",
            "worker": f"{state.worker_url}/readyz",
        }
        if state.operator_url:
            waiting["controller"] = f"{state.operator_url}/readyz"
        if state.prometheus_url:
            waiting[PROMETHEUS] = f"{state.prometheus_url}/-/ready"
        while waiting:
            waiting = {name: url for name, url in waiting.items() if not _answers(url)}
            if waiting and time.monotonic() > deadline:
                logs = ", ".join(str(self._plans[name].log) for name in waiting)
                raise NotReady(f"{', '.join(waiting)} did not come up; see {logs}")
            self.watch_once()
            time.sleep(POLL_SECONDS)


def stop_home(layout: Layout, *, say: Callable[[str], None]) -> None:
    """Stop every process of the home, whoever started it. Safe to call when nothing runs."""
    records = process.read_records(layout.processes_file)
    for group in ("worker", "gateway", "controller"):
        _stop_group(records, group, say=say)
    _stop_runs(layout)
    _stop_group(records, "ray", say=say)
    for group in ("prometheus", "node"):
        _stop_group(records, group, say=say)
    layout.processes_file.unlink(missing_ok=True)
    remove_targets(layout.targets)
    if layout.postgres.exists():
        embedded.stop(layout.postgres)
    for file in (layout.state_file, layout.ready_file, layout.supervisor_file):
        file.unlink(missing_ok=True)


def _stop_group(
    records: Mapping[str, ProcessRecord], group: str, *, say: Callable[[str], None]
) -> None:
    for name, record in records.items():
        if name.split("-")[0] == group and record.living() is not None:
            say(f"stopping {name}")
            process.stop(record, STOP_SECONDS)


def _stop_runs(layout: Layout) -> None:
    """Runs outlive the controller on purpose; going down ends them at a checkpoint."""
    argv = [sys.executable, "-m", "slipway_operator", "stop-runs", "--home", str(layout.home)]
    subprocess.run(argv, check=False)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
