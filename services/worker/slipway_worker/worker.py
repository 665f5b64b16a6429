"""The composition root: settings → one worker with everything behind it.

``run`` ends after ``leave`` was called: no new jobs, running ones finish within the grace, the rest
is given back, results are flushed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from time import monotonic
from uuid import uuid4

from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.types import QueueManagerId

from slipway_store import cache
from slipway_store import jobs as store
from slipway_store.batches import expire_batches
from slipway_store.connect import Pool, open_pool
from slipway_store.ending import end_if_cancelled
from slipway_store.files import prune_chunks
from slipway_store.keys import Endpoint, id_of, insert_key, widen_key
from slipway_telemetry.tracing import Tracer
from slipway_worker.batches import BatchChecks, BatchEnds, BatchLines, ended_batches
from slipway_worker.driver import StoreDriver
from slipway_worker.gateway import GatewayClient
from slipway_worker.health import serve_health
from slipway_worker.kinds import Kind, Registry
from slipway_worker.metrics import Metrics
from slipway_worker.outcome import Patience
from slipway_worker.questions import Questions
from slipway_worker.queue import NAMES, JobQueue
from slipway_worker.running import Conditions, Executors
from slipway_worker.settings import Settings

logger = logging.getLogger(__name__)

WATCH_PERIOD = 2.0
PRUNE_PERIOD = 600.0
LOG_AGE = timedelta(hours=1)
CHUNK_AGE = timedelta(days=1)
SILENCE = 10.0
SCHEMA_PERIOD = 1.0
POOL_SIZE = 8
# What the worker's key is for, and that everybody who waits for an answer goes before it.
INFERENCE = (Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS, Endpoint.RESPONSES)
ENDPOINTS = (*INFERENCE, Endpoint.ON_BEHALF)
PRIORITY = -10
# A pick that a crashed server forgets is picked again, so it waits for no disk. Its statement is
# long and always the same: planned once, and never for the empty table that it may have been then.
PICKING = {
    "synchronous_commit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}

MakeKinds = Callable[[Settings, Pool, GatewayClient], list[Kind]]


class Worker:
    """One process's worker. ``make_kinds``: what it can do."""

    def __init__(
        self, settings: Settings, make_kinds: MakeKinds, *, tracer: Tracer | None = None
    ) -> None:
        self._tracer = tracer
        self._settings = settings
        self._make_kinds = make_kinds
        self._finishing = asyncio.Event()
        self._leaving = asyncio.Event()
        self._gone = asyncio.Event()
        self._heard = float("-inf")

    def leave(self) -> None:
        """Begin to end; called again, the running jobs are given back at once."""
        if self._finishing.is_set():
            self._leaving.set()
        self._finishing.set()

    async def run(self) -> None:
        """Until ``leave`` was called and everything is settled or given back."""
        settings = self._settings
        dsn = settings.dsn.get_secret_value()
        key = settings.api_key
        async with AsyncExitStack() as stack:
            gateway = await stack.enter_async_context(
                GatewayClient(
                    settings.gateway_url,
                    api_key=None if key is None else key.get_secret_value(),
                    timeout=settings.time_limit,
                    connections=settings.concurrency,
                )
            )
            pool = await open_pool(dsn, min_size=0, max_size=POOL_SIZE, cleaned=False)
            stack.callback(pool.terminate)
            picks = await open_pool(dsn, min_size=0, max_size=2, cleaned=False, session=PICKING)
            stack.callback(picks.terminate)
            kinds = Registry(*self._make_kinds(settings, pool, gateway))
            names = [kind.name for kind in kinds]
            metrics = Metrics(names, ended_batches=lambda: ended_batches(kinds))
            port = await stack.enter_async_context(
                serve_health(
                    host=settings.host, port=settings.port, ready=self._wrong, metrics=metrics.text
                )
            )
            logger.info("health and metrics on %s port %s", settings.host, port)
            driver = StoreDriver(pool, picks, dsn, leaving=self._gone)
            queue, manager, conditions = self._assemble(driver, kinds, metrics)
            watch = asyncio.create_task(self._watch(pool, metrics))
            ending = asyncio.create_task(self._end(queue, manager, conditions))
            try:
                await self._work(driver, manager)
            finally:
                await _cancelled(watch, ending)
                await self._give_back(pool, queue)

    def _assemble(
        self, driver: StoreDriver, kinds: Registry, metrics: Metrics
    ) -> tuple[JobQueue, QueueManager, Conditions]:
        settings = self._settings
        patience = Patience(
            max_attempts=settings.max_attempts,
            first_delay=settings.retry_delay,
            delay_limit=settings.retry_delay_limit,
            patience=settings.patience,
        )
        owner = QueueManagerId(uuid4())
        queue = JobQueue(
            driver,
            owner=owner,
            kinds=kinds,
            concurrency=settings.concurrency,
            tenant_concurrency=settings.tenant_concurrency,
            patience=patience,
        )
        conditions = Conditions(
            queue=queue,
            patience=patience,
            metrics=metrics,
            time_limit=settings.time_limit,
            leaving=self._leaving,
            tracer=self._tracer,
        )
        manager = QueueManager(queue, channel=NAMES.channel)
        manager.queue_manager_id = owner
        manager.entrypoint_registry = Executors(kinds, conditions)
        return queue, manager, conditions

    async def _work(self, driver: StoreDriver, manager: QueueManager) -> None:
        settings = self._settings
        while not await driver.patiently(lambda: store.has_queue(driver.pool)):
            logger.info("waiting for the database's schema")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._finishing.wait(), SCHEMA_PERIOD)
            if self._finishing.is_set():
                return
        if settings.api_key is not None:
            await driver.patiently(lambda: self._introduce(driver.pool))
        await manager.run(
            dequeue_timeout=timedelta(seconds=settings.poll_interval),
            batch_size=max(1, settings.concurrency // 2),
            heartbeat_timeout=timedelta(seconds=settings.heartbeat_timeout),
            log_aggregation_interval=timedelta(0),
        )

    async def _introduce(self, pool: Pool) -> None:
        """Store the own key, if nobody knows it; one that was revoked stays revoked."""
        key = self._settings.api_key
        if key is None:
            return
        secret = key.get_secret_value()
        if await insert_key(pool, secret, name="worker", endpoints=ENDPOINTS, priority=PRIORITY):
            logger.info("the worker's key is stored")
        elif await widen_key(pool, id_of(secret) or "", before=INFERENCE, after=ENDPOINTS):
            logger.info("the worker's key, of an older release, may ask on behalf of others now")

    async def _end(self, queue: JobQueue, manager: QueueManager, conditions: Conditions) -> None:
        """The two stages of leaving, each with its time."""
        await self._finishing.wait()
        logger.info("finishing what runs")
        manager.shutdown.set()
        queue.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), self._settings.shutdown_grace)
        self._leaving.set()
        conditions.give_back()
        await asyncio.sleep(self._settings.flush_timeout)
        self._gone.set()

    async def _watch(self, pool: Pool, metrics: Metrics) -> None:
        """The queue's figures, batches that are late, now and then what nobody needs any more."""
        prune_at = monotonic()
        while True:
            try:
                metrics.saw(await store.depths(pool))
                self._heard = monotonic()
                await expire_batches(pool)
                if monotonic() >= prune_at:
                    await store.prune(pool, log_age=LOG_AGE)
                    await prune_chunks(pool, age=CHUNK_AGE)
                    await cache.forget(pool, age=timedelta(seconds=self._settings.cache_age))
                    prune_at = monotonic() + PRUNE_PERIOD
            except Exception as error:
                end_if_cancelled()
                logger.warning("the queue cannot be looked at: %r", error)
            metrics.connected.set(not self._wrong())
            await asyncio.sleep(WATCH_PERIOD)

    async def _give_back(self, pool: Pool, queue: JobQueue) -> None:
        try:
            async with asyncio.timeout(self._settings.flush_timeout):
                given = await store.give_back(pool, queue.owner)
        except Exception as error:
            logger.warning("jobs wait until this worker is taken for dead: %r", error)
        else:
            logger.info("left; %s jobs given back", given)

    def _wrong(self) -> str:
        silent = monotonic() - self._heard
        return f"PostgreSQL was not heard for {silent:.0f} s" if silent > SILENCE else ""


def product_kinds(settings: Settings, pool: Pool, gateway: GatewayClient) -> list[Kind]:
    """What a worker of this release can do."""
    return [
        Questions(pool, gateway),
        BatchChecks(pool, line_limit=settings.line_limit),
        BatchLines(pool, gateway),
        BatchEnds(),
    ]


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
