"""The composition root of the local platform."""

from __future__ import annotations

import logging
from contextlib import aclosing
from functools import partial

from slipway_operator.observe import Observer
from slipway_operator.platforms.evidence import PostgresEvidence
from slipway_operator.platforms.gpu_time import GpuTime
from slipway_operator.platforms.local.backends import LocalBackends
from slipway_operator.platforms.local.objects import LocalEvents, LocalObjects
from slipway_operator.platforms.local.runs import LocalRuns, RunSettings
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
            backends=GpuTime(backends, pool),
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
