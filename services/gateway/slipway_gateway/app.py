"""The composition root: settings → one process's parts, wired.

Hot routes never reach ASGI (``hotpath.protocol``, with ``Gateway.hot``); everything else, and the
documentation of all, is FastAPI's. Start and stop are the ASGI lifespan.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from slipway_gateway.admin import make_fastapi
from slipway_gateway.attempts.bound import Bound
from slipway_gateway.attempts.clock import RowClock
from slipway_gateway.attempts.log import AttemptLog
from slipway_gateway.attempts.segment import Segments
from slipway_gateway.attempts.shipper import Shipper
from slipway_gateway.attempts.texts import TextPolicy, Texts, load_redact
from slipway_gateway.cache import AnswerCache
from slipway_gateway.cold_bodies import BoundedBodies
from slipway_gateway.control.link import FirstKey, Link
from slipway_gateway.control.table import RouteTable
from slipway_gateway.dialects.base import Dialect
from slipway_gateway.dialects.embeddings import Embeddings
from slipway_gateway.dialects.openai import Chat, Completions
from slipway_gateway.dialects.responses import Responses
from slipway_gateway.dialects.service import Forward, ForwardBatch
from slipway_gateway.guard import Guard, Watch
from slipway_gateway.hotpath.bounds import Bounds
from slipway_gateway.hotpath.deadlines import Deadlines
from slipway_gateway.hotpath.deps import HotPath
from slipway_gateway.hotpath.head import RequestIds
from slipway_gateway.hotpath.pool import Upstream
from slipway_gateway.hotpath.record import Journal
from slipway_gateway.hotpath.shadow import Shadows
from slipway_gateway.metrics import Metrics
from slipway_gateway.metrics.process import Tell
from slipway_gateway.metrics.state import CacheState, ControlState, LogState
from slipway_gateway.overload.breaker import Breakers
from slipway_gateway.overload.figures import LoadFigures
from slipway_gateway.overload.gate import Gate
from slipway_gateway.overload.knee import Knees
from slipway_gateway.overload.limiter import AdaptiveLimits, LimitRule
from slipway_gateway.overload.queue import QueueRule
from slipway_gateway.overload.queues import Queues
from slipway_gateway.overload.retries import RetryBudget
from slipway_gateway.settings import Settings
from slipway_gateway.tenants.tenancy import Tenancy
from slipway_gateway.tracing import ColdTraces
from slipway_store.ending import end_if_cancelled
from slipway_store.keys import Endpoint
from slipway_telemetry.tracing import Tracer

logger = logging.getLogger(__name__)

RESTART_DELAY = 1.0


class Gateway:
    """The ASGI application. ``draining`` true: not ready any more, still answering."""

    def __init__(self, settings: Settings, *, tracer: Tracer | None = None) -> None:
        self.settings = settings
        self.tracer = tracer
        self.draining = False
        self.metrics = Metrics()
        self.tenancy = Tenancy(settings, lambda: self.link.pool)
        self.keys = self.tenancy.keys
        self.limits = self.tenancy.limits
        self.guard = Guard()
        self.segments = Segments(settings.slot_dir, settings.segment_limit)
        self.log = AttemptLog(self.segments, RowClock())
        self.table = RouteTable()
        self.table.on_change.append(self._routes_changed)
        self.shipper = Shipper(
            self.segments,
            self.log.clock,
            gateway=settings.slot,
            interval=settings.ship_interval,
            batch_rows=settings.batch_rows,
        )
        self.bound = Bound(self.segments, self.shipper, settings.segments_limit)
        self.texts = _texts(settings)
        self.link = Link(
            settings.dsn.get_secret_value(),
            gateway=settings.slot,
            folder=settings.slot_dir,
            table=self.table,
            keys=self.keys,
            shipper=self.shipper,
            retention_days=settings.log_retention_days,
            in_flight=self.metrics.in_flight.by_version,
            first_keys=_first_keys(settings),
            pepper=self.keys.pepper,
        )
        self.link.restore()
        watch = Watch(self.guard, self.table, self.link.report)
        self.log.on_attempt += [self.metrics.observe, watch.observe]
        self.hot = self._hot_path(settings)
        self.table.on_change.append(self._backends_changed)
        self.table.on_change.append(lambda table: self.metrics.serves(table.all()))
        self.metrics.serves(self.table.all())
        self.metrics.sources += self._figures()
        self.fastapi: FastAPI = make_fastapi(self)
        cold = BoundedBodies(self.fastapi, limit=settings.body_limit, timeout=settings.body_timeout)
        self._cold = cold if tracer is None else ColdTraces(cold, tracer)
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI, for everything that is not hot."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._cold(scope, receive, send)

    async def start(self) -> None:
        """Begin the background work; waits for nobody."""
        self._tasks = [
            _forever("deadlines", self.hot.deadlines.run),
            _forever("link", self.link.run),
            _forever("sync", lambda: self.log.sync_forever(self.settings.sync_interval)),
            _forever("log bound", self.bound.run),
            *(_forever(name, work) for name, work in self.tenancy.work.items()),
        ]

    async def stop(self) -> None:
        """After the last answer: copies end, the log is shipped or stays for the next start."""
        self.draining = True
        self.hot.deadlines.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.tenancy.leave()
        await self.link.leave(self.settings.flush_timeout)
        self.segments.close()

    def is_fenced(self) -> bool:
        """PostgreSQL is away for too long: nothing goes to candidates."""
        return self.hot.is_fenced()

    def _figures(self) -> list[Tell]:
        log = LogState(
            log=self.log,
            segments=self.segments,
            shipper=self.shipper,
            bound=self.bound,
            texts=self.texts,
        )
        control = ControlState(
            table=self.table,
            keys=self.keys,
            link=self.link,
            is_fenced=self.is_fenced,
            began=time.monotonic(),
        )
        cache = CacheState(cache=self.hot.cache, table=self.table)
        load = LoadFigures(self.hot.gate, self.table.all)
        return [log.families, control.families, cache.families, load.families]

    def _hot_path(self, settings: Settings) -> HotPath:
        deadlines = Deadlines()
        upstream = Upstream(connect_timeout=settings.connect_timeout)
        start = settings.concurrency_start
        gate = Gate(
            Breakers(),
            Queues(
                AdaptiveLimits(LimitRule(start=start, most=16 * start)),
                QueueRule(waiting=settings.queue_limit, deadline=settings.queue_timeout),
                knees=Knees(wall=time.time() - time.monotonic(), peers=lambda: self.link.peers),
            ),
            RetryBudget(),
        )
        deadlines.add(upstream)
        deadlines.add(gate)
        journal = Journal(
            gateway=settings.slot,
            log=self.log,
            in_flight=self.metrics.in_flight,
            texts=self.texts,
        )
        shadows = Shadows(
            journal,
            upstream,
            deadlines,
            concurrency=settings.shadow_concurrency,
            timeout=settings.total_timeout,
            answer_limit=settings.answer_limit,
            is_fenced=self.is_fenced,
        )
        dialects = _dialects(settings)
        return HotPath(
            bounds=Bounds(settings),
            ids=RequestIds(),
            limits=self.limits,
            gate=gate,
            cache=AnswerCache(settings.cache_bytes, settings.cache_ttl),
            dialects=dialects,
            paths={path.encode(): path for path in dialects},
            heads={},
            table=self.table,
            keys=self.keys,
            guard=self.guard,
            heard=lambda: self.link.heard,
            journal=journal,
            upstream=upstream,
            shadows=shadows,
            deadlines=deadlines,
            traffic=self.metrics.traffic,
            tracer=self.tracer,
        )

    def _routes_changed(self, table: RouteTable) -> None:
        rollouts = {(r.model, r.guard.rollout_id) for r in table.all() if r.guard is not None}
        self.guard.keep_only(rollouts)

    def _backends_changed(self, table: RouteTable) -> None:
        self.hot.gate.forget({b.url for route in table.all() for b in route.backends})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        with contextlib.suppress(Exception):
            await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(settings: Settings, *, tracer: Tracer | None = None) -> Gateway:
    """The application of one process."""
    return Gateway(settings, tracer=tracer)


def _forever(name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """A background task that never ends in silence: an error is told, then it goes on."""

    async def supervise() -> None:
        while True:
            try:
                await work()
            except Exception:
                end_if_cancelled()
                logger.exception("%s failed, starting it again", name)
            await asyncio.sleep(RESTART_DELAY)

    return asyncio.create_task(supervise(), name=name)


def _first_keys(settings: Settings) -> list[FirstKey]:
    keys = []
    if settings.first_key is not None:
        keys.append(FirstKey(name="first", secret=settings.first_key))
    if settings.first_admin_key is not None:
        secret = settings.first_admin_key
        keys.append(FirstKey(name="first-admin", secret=secret, endpoints=(Endpoint.ADMIN,)))
    return keys


def _dialects(settings: Settings) -> dict[str, Dialect]:
    dialects: tuple[Dialect, ...] = (
        Chat(remote_media=settings.remote_media),
        Completions(),
        Forward(),
        ForwardBatch(settings.batch_limit),
        Embeddings(),
        Responses(remote_media=settings.remote_media),
    )
    return {dialect.path: dialect for dialect in dialects}


def _texts(settings: Settings) -> Texts:
    key = settings.log_hash_key
    return Texts(
        policy=TextPolicy(settings.log_text_policy),
        limit=settings.log_text_limit,
        hash_key=None if key is None else key.get_secret_value(),
        redact=None if settings.redact is None else load_redact(settings.redact),
    )
