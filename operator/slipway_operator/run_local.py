"""The composition root of the local platform."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial

from slipway_contracts.metrics import operator as names
from slipway_operator.health import serve_health
from slipway_operator.metrics import Metrics
from slipway_operator.observe import Observer
from slipway_operator.platforms.database import Database
from slipway_operator.platforms.evidence import PostgresEvidence
from slipway_operator.platforms.gpu_time import GpuTime
from slipway_operator.platforms.local.backends import LocalBackends
from slipway_operator.platforms.local.objects import LocalEvents, LocalObjects
from slipway_operator.platforms.local.runs import LocalRuns, RunSettings
from slipway_operator.platforms.routes import PostgresRoutes, watch_guard
from slipway_operator.queue import DelayQueue
from slipway_operator.reconcile import Controller, Platform, Reconciler
from slipway_operator.settings import Settings
from slipway_operator.tracing import traced
from slipway_store.connect import open_pool
from slipway_telemetry.tracing import Tracer

log = logging.getLogger(__name__)


async def serve(settings: Settings, *, tracer: Tracer | None = None) -> None:
    """Reconcile every Model of the home until cancelled."""
    dsn = settings.dsn.get_secret_value()
    backends = LocalBackends(settings)
    async with await open_pool(dsn, max_size=8) as pool, aclosing(backends):
        metrics, queue, database = Metrics(), DelayQueue(), Database(dsn)
        platform = Platform(
            objects=LocalObjects(pool, dsn, namespace=settings.namespace, ended=metrics.outcome),
            events=LocalEvents(pool),
            runs=LocalRuns(settings=_run_settings(settings)),
            backends=GpuTime(backends, pool),
            routes=PostgresRoutes(pool),
        )
        evidence = PostgresEvidence(pool)
        observe = Observer(platform=platform, evidence=evidence)
        reconciler = Reconciler(platform=platform, observe=observe, saw=metrics.lifecycle.saw)
        controller = Controller(
            reconcile=traced(reconciler, tracer),
            watches=(platform.objects.watch, partial(watch_guard, dsn)),
            workers=settings.workers,
            meter=metrics,
            queue=queue,
        )
        async with _health(settings, metrics, queue, database), asyncio.TaskGroup() as tasks:
            tasks.create_task(database.run(), name="database")
            log.info("controller started")
            await controller.run()


def _health(
    settings: Settings, metrics: Metrics, queue: DelayQueue, database: Database
) -> AbstractAsyncContextManager[int]:
    """The port, on loopback. One process reconciles here, so it leads."""
    lifecycle = metrics.lifecycle
    metrics.gauge(names.LEADER, lambda: {"": 1})
    metrics.gauge(names.QUEUE_DEPTH, lambda: {"": queue.waiting()})
    metrics.gauge(names.VERSIONS, lifecycle.versions_by_phase)
    metrics.gauge(names.MODELS, lifecycle.models_by_ready)
    metrics.gauge(names.OPERATOR_CONNECTED, lambda: {"": int(database.answers)})
    return serve_health(
        host="127.0.0.1",
        port=settings.health_port,
        alive=lambda: "",
        ready=lambda: "" if database.answers else "PostgreSQL does not answer",
        metrics=metrics.text,
    )


def _run_settings(settings: Settings) -> RunSettings:
    return RunSettings(
        home=settings.home,
        max_runs=settings.max_runs,
        threads=settings.run_threads,
        niceness=settings.run_niceness,
    )
