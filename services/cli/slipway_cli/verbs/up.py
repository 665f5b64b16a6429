"""``up``, ``down`` and ``doctor``: local mode as a whole."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from slipway_cli.demo.context import DemoContext, DemoOutcome
from slipway_cli.demo.laptop import Laptop
from slipway_cli.demo.platform import DemoPlatform
from slipway_cli.errors import CliError, InvalidInput
from slipway_cli.local.doctor import examine
from slipway_cli.local.endpoints import LOOPBACK
from slipway_cli.local.layout import Layout, LocalState, default_home
from slipway_cli.local.observe import find_prometheus
from slipway_cli.local.plan import ray_temp_dir
from slipway_cli.local.supervisor import POLL_SECONDS, Supervisor, held_home, take_down
from slipway_store.connect import Pool

DETACH_SECONDS = 180.0

Port = Annotated[int, typer.Option(min=1, max=65_535, help="The gateway's port.")]
Host = Annotated[str, typer.Option(help="Where the gateway listens; keyless only on loopback.")]
Demo = Annotated[bool, typer.Option("--demo", help="Run the demo's four versions, then stay up.")]
Once = Annotated[bool, typer.Option("--once", help="With --demo: stop when it has ended.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is ready.")]
Observe = Annotated[
    bool, typer.Option("--observe", help="A Prometheus beside it, with the same rules and alerts.")
]
Purge = Annotated[bool, typer.Option("--purge", help="Delete the home's data too.")]
MadeAt = Annotated[
    float | None, typer.Option("--made-at", hidden=True, help="Unix seconds at which make began.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (up, down, doctor):
        app.command(verb.__name__)(verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to do once everything is ready. ``made_at``: unix seconds."""

    demo: bool
    once: bool
    made_at: float | None


def up(
    demo: Demo = False,
    once: Once = False,
    detach: Detach = False,
    host: Host = LOOPBACK,
    port: Port = 8000,
    observe: Observe = False,
    made_at: MadeAt = None,
) -> None:
    """Start PostgreSQL, Ray Serve, the controller, two gateways and a worker on this machine."""
    layout = Layout(default_home())
    if detach and demo:
        raise InvalidInput("--demo runs in the foreground; leave out --detach")
    if once and not demo:
        raise InvalidInput("--once goes with --demo")
    if observe:
        find_prometheus()  # before anything is started
    if detach:
        _detach(layout, host=host, port=port, observe=observe)
        return
    supervisor = Supervisor(layout=layout, host=host, port=port, observe=observe, say=_say)
    outcome = _up(layout, supervisor, Wishes(demo=demo, once=once, made_at=made_at))
    if outcome is not None:
        print(outcome.line, flush=True)
        raise typer.Exit(0 if outcome.ok else 1)


def down(purge: Purge = False) -> None:
    """Stop everything that `up` started; objects, artifacts and logs stay unless --purge."""
    layout = Layout(default_home())
    take_down(layout, say=_say)
    if purge:
        shutil.rmtree(layout.home, ignore_errors=True)
        shutil.rmtree(ray_temp_dir(layout.home), ignore_errors=True)
    _say(f"down: {layout.home}{' (data deleted)' if purge else ''}")


def doctor() -> None:
    """Check each part of local mode; say what is wrong and what to do. Exits 1 on a finding."""
    checks = examine(Layout(default_home()))
    table = Table("part", "state", "found", "what to do", box=None)
    for check in checks:
        mark = "[green]ok[/green]" if check.ok else "[red]wrong[/red]"
        table.add_row(check.part, mark, check.message, check.fix)
    Console().print(table)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _up(layout: Layout, supervisor: Supervisor, wishes: Wishes) -> DemoOutcome | None:
    """Until Ctrl-C, or the demo's end with ``once``; everything has stopped when it returns."""
    started_at = time.time()
    # A closed terminal and `slipway down` take the same way out as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    outcome = None
    with held_home(layout):
        try:
            state = supervisor.start()
            layout.ready_file.touch()
            if wishes.demo:
                context = _demo_context(state, started_at, wishes.made_at)
                outcome = _run_demo(context, supervisor)
                if not (outcome.played or wishes.once):
                    outcome = None  # what is here serves again: nothing to report
            if not wishes.once:
                _print_addresses(state)
                _watch(supervisor)
        except KeyboardInterrupt:
            _say("stopping")
        finally:
            supervisor.stop()
    return outcome


def _run_demo(context: DemoContext, supervisor: Supervisor) -> DemoOutcome:
    from slipway_cli.demo.story import run_story  # the story is only for those who ask for it

    with supervisor.watching():
        return asyncio.run(run_story(context))


def _laptop(pool: Pool, *, dashboard_url: str) -> DemoPlatform:
    return Laptop(pool=pool, dashboard_url=dashboard_url)


def _demo_context(state: LocalState, started_at: float, made_at: float | None) -> DemoContext:
    return DemoContext(
        dsn=state.dsn,
        gateway_url=state.gateway_url,
        platform=partial(_laptop, dashboard_url=state.dashboard_url),
        home=Path(state.home),
        marks=(state.home, str(ray_temp_dir(Path(state.home)))),
        prometheus_url=state.prometheus_url,
        made_at=made_at or started_at,
        started_at=started_at,
        console=Console(stderr=True),
    )


def _detach(layout: Layout, *, host: str, port: int, observe: bool) -> None:
    """Start the same command in a session of its own and wait until it answers."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    log = layout.logs / "supervisor.log"
    argv = [sys.executable, "-m", "slipway_cli", "up", "--host", host, "--port", str(port)]
    argv += ["--observe"] if observe else []
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"SLIPWAY_HOME": str(layout.home)},
        )
    deadline = time.monotonic() + DETACH_SECONDS
    while not layout.ready_file.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            raise CliError(f"slipway did not come up; read {log}")
        time.sleep(POLL_SECONDS)
    state = layout.read_state()
    if state is not None:
        _print_addresses(state)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _watch(supervisor: Supervisor) -> None:
    while True:
        supervisor.watch_once()
        time.sleep(POLL_SECONDS)


def _say(text: str) -> None:
    Console(stderr=True).print(text, style="dim", highlight=False)


def _print_addresses(state: LocalState) -> None:
    console = Console(stderr=True)
    console.print(f"\nSlipway is up. Gateway {state.gateway_url} (docs: {state.gateway_url}/docs)")
    console.print(f"  curl {state.gateway_url}/v1/models")
    console.print("  slipway get mv    slipway chat MODEL    slipway doctor")
    if state.prometheus_url:
        console.print(f"  Prometheus {state.prometheus_url} (docs/monitoring.md)")
    console.print(f"  data and logs: {state.home}    Ctrl-C or `slipway down` stops it")
