"""The composition root of the Kubernetes platform: one release in one namespace.

Every replica keeps its cache warm and answers its health port; the one that holds the lease
reconciles. PostgreSQL may be away at the start: then the replica is not ready, and waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import asyncpg

from slipway_contracts.conditions import Reason
from slipway_contracts.metrics import operator as names
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Terminal, Transient
from slipway_operator.health import serve_health
from slipway_operator.metrics import Metrics
from slipway_operator.observe import Observer
from slipway_operator.platforms.database import Database
from slipway_operator.platforms.evidence import PostgresEvidence
from slipway_operator.platforms.gpu_time import GpuTime
from slipway_operator.platforms.heartbeats import Heartbeats
from slipway_operator.platforms.kubernetes.api import Access, Api, connect, find_access
from slipway_operator.platforms.kubernetes.backends import KubernetesBackends
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.census import models_by_ready, versions_by_phase
from slipway_operator.platforms.kubernetes.event_lanes import event_lanes
from slipway_operator.platforms.kubernetes.events import KubernetesEvents
from slipway_operator.platforms.kubernetes.lease import Lease, Terms
from slipway_operator.platforms.kubernetes.objects import KubernetesObjects
from slipway_operator.platforms.kubernetes.relist import Relist
from slipway_operator.platforms.kubernetes.runs import KubernetesRuns
from slipway_operator.platforms.kubernetes.settings import PlatformConfig, read_platform
from slipway_operator.platforms.routes import PostgresRoutes, watch_guard
from slipway_operator.ports import Events
from slipway_operator.queue import DelayQueue
from slipway_operator.reconcile import Controller, Platform, Reconciler
from slipway_operator.settings import KubernetesSettings
from slipway_operator.tracing import traced
from slipway_operator.watch import Watch
from slipway_store.connect import Pool, open_pool
from slipway_store.errors import UNAVAILABLE, StoreError
from slipway_store.migrate import migrate
from slipway_telemetry.tracing import Tracer

log = logging.getLogger(__name__)

# A pass makes some twenty requests of at most 15 s; one that takes longer than this hangs.
STUCK_SECONDS = 600.0
BEATS_SECONDS = 0.25
# Also what an administrator puts right: a wrong password, a database that is not made yet.
RETRIED: tuple[type[Exception], ...] = (*UNAVAILABLE, asyncpg.PostgresError)
RETRY_FIRST_SECONDS = 0.5
RETRY_LIMIT_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Stage:
    """How far the start has come, as the readiness probe tells it: empty when it has."""

    waits_for: str = "starts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What the parts of one process share."""

    settings: KubernetesSettings
    config: PlatformConfig
    api: Api
    cache: Cache
    watch: Watch
    lease: Lease
    metrics: Metrics
    tracer: Tracer | None = None
    stage: Stage = field(default_factory=Stage)
    queue: DelayQueue = field(default_factory=DelayQueue)


async def serve(settings: KubernetesSettings, *, tracer: Tracer | None = None) -> None:
    """Reconcile every Model of the namespace until cancelled. LeaseLost: end the process."""
    config = read_platform(settings.platform_file)
    access = await find_access(settings.kubeconfig)
    async with connect(access, namespace=settings.namespace) as api:
        composed = _compose(settings, config, access=access, api=api)
        operator = replace(composed, tracer=tracer)
        database = Database(settings.dsn.get_secret_value())
        async with _health(operator, database), asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(operator.watch.run(), name="watch"),
                tasks.create_task(database.run(), name="database"),
            ]
            await _run(operator)
            for task in beside:
                task.cancel()


def _compose(
    settings: KubernetesSettings, config: PlatformConfig, *, access: Access, api: Api
) -> Operator:
    cache, metrics = Cache(), Metrics()
    watch = Watch(
        cache=cache,
        relist=Relist(api, cache),
        access=access,
        namespace=settings.namespace,
        heard=metrics,
    )
    seconds = settings.lease_seconds
    lease = Lease(
        api,
        name=f"{config.release}-operator",
        identity=settings.identity,
        terms=Terms(duration=seconds, renew=seconds * 2 / 3, retry=seconds * 2 / 15),
    )
    return Operator(
        settings=settings,
        config=config,
        api=api,
        cache=cache,
        watch=watch,
        lease=lease,
        metrics=metrics,
    )


async def _run(operator: Operator) -> None:
    dsn = operator.settings.dsn.get_secret_value()
    operator.stage.waits_for = "waits for PostgreSQL"
    await _migrate(dsn, operator.stage)
    operator.stage.waits_for = "fills its cache"
    await operator.watch.filled()
    operator.stage.waits_for = ""
    await operator.lease.acquire()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(operator.lease.hold(), name="lease")
            await _lead(operator, dsn)
    finally:
        await operator.lease.release()


async def _migrate(dsn: str, stage: Stage) -> None:
    """Bring the schema to this version, however long PostgreSQL takes to answer."""
    delay = RETRY_FIRST_SECONDS
    while True:
        try:
            await migrate(dsn)
            return
        except StoreError as error:
            raise Terminal(str(error), reason=Reason.INVALID) from error
        except RETRIED as error:
            stage.waits_for = f"PostgreSQL does not answer: {error or type(error).__name__}"
            log.warning("waits for PostgreSQL", extra={"error": str(error)})
        await asyncio.sleep(delay)
        delay = min(delay * 2, RETRY_LIMIT_SECONDS)


async def _lead(operator: Operator, dsn: str) -> None:
    """Reconcile until cancelled. What another leader wrote a moment ago is listed first."""
    await _caught_up(operator.watch.relist)
    backends = KubernetesBackends(
        operator.api, operator.cache, operator.config, service_url=operator.settings.service_url
    )
    said = KubernetesEvents(operator.api, operator.cache, identity=operator.settings.identity)
    async with (
        await open_pool(dsn, min_size=0, max_size=8) as pool,
        aclosing(backends),
        event_lanes(said) as events,
    ):
        controller = _controller(operator, backends, events, pool=pool, dsn=dsn)
        log.info("controller started")
        await controller.run()


async def _caught_up(relist: Relist) -> None:
    while True:
        try:
            await relist.compare()
            return
        except Transient as error:
            log.warning("cannot list yet", extra={"error": str(error)})
            await asyncio.sleep(error.delay)


def _controller(
    operator: Operator, backends: KubernetesBackends, events: Events, *, pool: Pool, dsn: str
) -> Controller:
    api, cache, config = operator.api, operator.cache, operator.config
    settings, metrics = operator.settings, operator.metrics
    beats = Heartbeats(pool, fresh_seconds=BEATS_SECONDS)
    platform = Platform(
        objects=KubernetesObjects(api, cache, ended=metrics.outcome),
        events=events,
        runs=KubernetesRuns(api, cache, config),
        backends=GpuTime(backends, pool),
        routes=PostgresRoutes(pool, beats),
    )
    observe = Observer(platform=platform, evidence=PostgresEvidence(pool, beats))
    led = _Led(
        reconcile=Reconciler(platform=platform, observe=observe, saw=metrics.lifecycle.saw),
        lease=operator.lease,
        events=platform.events,
        namespace=settings.namespace,
    )
    return Controller(
        reconcile=traced(led, operator.tracer),
        watches=(platform.objects.watch, partial(watch_guard, dsn)),
        workers=settings.workers,
        meter=metrics,
        queue=operator.queue,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Led:
    """One pass, if this replica still leads; what the cluster refuses is told to the Model."""

    reconcile: Reconciler
    lease: Lease
    events: Events
    namespace: str

    async def __call__(self, model: str) -> float | None:
        if not self.lease.leads:
            raise Transient("this replica leads no more", delay=1.0)
        try:
            return await self.reconcile(model)
        except Terminal as error:
            await self.events.append(self.namespace, [_refusal(model, error)])
            raise


def _refusal(model: str, error: Terminal) -> EventRecord:
    return EventRecord(
        kind="Model", name=model, type="Warning", reason=error.reason, message=str(error)
    )


@asynccontextmanager
async def _health(operator: Operator, database: Database) -> AsyncGenerator[int]:
    metrics, cache = operator.metrics, operator.cache
    metrics.gauge(names.OPERATOR_CONNECTED, lambda: {"": int(database.answers)})
    metrics.gauge(names.LEADER, lambda: {"": int(operator.lease.leads)})
    metrics.gauge(names.QUEUE_DEPTH, lambda: {"": operator.queue.waiting()})
    metrics.gauge(names.VERSIONS, lambda: versions_by_phase(cache))
    metrics.gauge(names.MODELS, lambda: models_by_ready(cache))
    async with serve_health(
        host=operator.settings.health_host,
        port=operator.settings.health_port,
        alive=lambda: _stuck(metrics),
        ready=lambda: operator.stage.waits_for,
        metrics=metrics.text,
    ) as port:
        log.info("health port %s", port)
        yield port


def _stuck(metrics: Metrics) -> str:
    seconds = metrics.longest_pass()
    return f"a pass hangs since {seconds:.0f} s" if seconds > STUCK_SECONDS else ""
