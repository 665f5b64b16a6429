"""The operator's process and its other verbs: settings, signals, and which platform it is.

``python -m slipway_operator`` reconciles until SIGTERM; ``… stop-runs --home HOME`` ends the runs
of a local home that is being taken down; ``… schema`` tells the database's schema version, with
``--back`` it undoes the last migration, before an older release takes over. Each platform has a
composition root of its own, imported here when it is the one: a laptop needs no Kubernetes client.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from slipway_operator.errors import LeaseLost, Terminal
from slipway_operator.settings import Database, KubernetesSettings, Platform, Settings
from slipway_store.errors import UNAVAILABLE, StoreError
from slipway_store.migrate import load_migrations, schema_version, step_back
from slipway_telemetry.client import only_the_catalogue
from slipway_telemetry.line import Service
from slipway_telemetry.logs import configure_logs
from slipway_telemetry.tracing import Tracer, open_tracing

log = logging.getLogger(__name__)

# Kopf tells every login, and that it takes no signals in its thread, as it should not.
QUIET = {"kopf": logging.WARNING, "kopf._core.reactor.running": logging.ERROR}

Root = Callable[[], Coroutine[Any, Any, None]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def _root(tracer: Tracer | None) -> tuple[Root, LoopFactory | None]:
    """What to run, with its settings, and in which event loop (None: Python's own)."""
    if Platform().platform == "kubernetes":
        import uvloop

        from slipway_operator import run_kubernetes

        cluster = KubernetesSettings()  # filled from the environment
        log.info("settings %s", cluster)
        # What the imports made stays; no collection has to look at it again.
        gc.freeze()
        return lambda: run_kubernetes.serve(cluster, tracer=tracer), uvloop.new_event_loop
    from slipway_operator import run_local

    settings = Settings()  # filled from the environment
    log.info("settings %s", settings)
    return lambda: run_local.serve(settings, tracer=tracer), None


async def _until_stopped(root: Root) -> None:
    task = asyncio.create_task(root())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def _run(root: Root, loop_factory: LoopFactory | None) -> int:
    """The exit status: 1 when the process is to be started again by whoever watches it."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_until_stopped(root))
    except (LeaseLost, Terminal, ExceptionGroup) as error:
        expected, unexpected = _split(error)
        for leaf in expected:
            log.error("the operator ends", extra={"error": str(leaf)})
        if unexpected is not None:
            raise
        return 1
    return 0


def _split(error: Exception) -> tuple[list[Exception], Exception | None]:
    """The errors that say themselves what to do, and the rest."""
    if not isinstance(error, ExceptionGroup):
        return [error], None
    expected, unexpected = error.split((LeaseLost, Terminal))
    return (_leaves(expected) if expected is not None else []), unexpected


def _leaves(group: ExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, ExceptionGroup) else [error]
    return found


def _schema(*, back: bool) -> int:
    """The exit status; what went wrong is for a person."""
    dsn = Database().dsn.get_secret_value()  # filled from the environment
    try:
        version = asyncio.run(step_back(dsn) if back else schema_version(dsn))
    except StoreError as error:
        print(f"slipway_operator: {error}", file=sys.stderr)
        return 1
    except UNAVAILABLE as error:
        print(f"slipway_operator: PostgreSQL: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print(f"schema version {version} of {len(load_migrations())}")
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="slipway_operator", description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    stop_runs = verbs.add_parser("stop-runs", help="end every run of a home at a checkpoint")
    stop_runs.add_argument("--home", type=Path, required=True)
    schema = verbs.add_parser("schema", help="print the database's schema version")
    schema.add_argument("--back", action="store_true", help="undo its last migration first")
    arguments = parser.parse_args()
    if arguments.verb == "schema":
        sys.exit(_schema(back=arguments.back))
    if arguments.verb == "stop-runs":
        from slipway_operator.platforms.local.runs import stop_all

        stop_all(arguments.home)
        return
    configure_logs(Service.OPERATOR, quiet=QUIET)
    only_the_catalogue()
    tracer = open_tracing(Service.OPERATOR)
    status = _run(*_root(tracer))
    if tracer is not None:
        tracer.stop()
    sys.exit(status)


if __name__ == "__main__":
    main()
