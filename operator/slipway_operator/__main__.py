"""The controller process and its one other verb: the composition root of the local platform.

``python -m slipway_operator`` reconciles until SIGTERM; ``… stop-runs --home HOME`` ends the runs
of a home that is being taken down.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path

from slipway_operator import logs
from slipway_operator.observe import Observer
from slipway_operator.platforms.evidence import PostgresEvidence
from slipway_operator.platforms.local.backends import LocalBackends
from slipway_operator.platforms.local.objects import LocalEvents, LocalObjects
from slipway_operator.platforms.local.runs import LocalRuns, RunSettings, stop_all
from slipway_operator.platforms.routes import PostgresRoutes, watch_guard
from slipway_operator.reconcile import Controller, Platform, Reconciler
from slipway_operator.settings import Settings
from slipway_store.connect import open_pool

log = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Reconcile every Model of the home until cancelled."""
    dsn = settings.dsn.get_secret_value()
    backends = LocalBackends(settings)
    async with await open_pool(dsn, max_size=8) as pool, aclosing(backends):
        platform = Platform(
            objects=LocalObjects(pool, dsn, namespace=settings.namespace),
            events=LocalEvents(pool),
            runs=LocalRuns(settings=_run_settings(settings)),
            backends=backends,
            routes=PostgresRoutes(pool),
        )
        evidence = PostgresEvidence(pool)
        observe = Observer(platform=platform, evidence=evidence)
        controller = Controller(
            reconcile=Reconciler(platform=platform, observe=observe),
            watches=(platform.objects.watch, partial(watch_guard, dsn)),
            workers=settings.workers,
        )
        log.info("controller started")
        await controller.run()


def _run_settings(settings: Settings) -> RunSettings:
    return RunSettings(
        home=settings.home,
        max_runs=settings.max_runs,
        threads=settings.run_threads,
        niceness=settings.run_niceness,
    )


async def _until_stopped(settings: Settings) -> None:
    task = asyncio.create_task(serve(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def main() -> None:
    parser = argparse.ArgumentParser(prog="slipway_operator", description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    stop_runs = verbs.add_parser("stop-runs", help="end every run of a home at a checkpoint")
    stop_runs.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.verb == "stop-runs":
        stop_all(arguments.home)
        return
    logs.configure()
    settings = Settings()  # filled from the environment
    log.info("settings %s", settings)
    asyncio.run(_until_stopped(settings))


if __name__ == "__main__":
    main()
