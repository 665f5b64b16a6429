"""Observe → decide → apply, for one Model. Level-triggered: right when called twice.

The order of writes: runs and backends first (they only ever make what the decision lists), then the
route, then the statuses that remember it, then events and finalizers. A kill between any two leaves
a state from which the next pass decides the same again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from slipway_contracts.model_version import ModelVersion
from slipway_operator.core.decide import decide
from slipway_operator.core.decision import Decision
from slipway_operator.core.snapshot import Snapshot
from slipway_operator.errors import Conflict, Terminal, Transient
from slipway_operator.ports import Backends, Events, Objects, Routes, Runs
from slipway_operator.queue import DelayQueue

log = logging.getLogger(__name__)

ERROR_DELAY_SECONDS = 2.0
ERROR_DELAY_LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The five ports of one platform."""

    objects: Objects
    events: Events
    runs: Runs
    backends: Backends
    routes: Routes


def _nobody(model: str, snapshot: Snapshot, decision: Decision) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """One pass over one Model. ``observe`` gathers the snapshot (``observe.Observer``); ``saw``
    is told of every pass that was applied.
    """

    platform: Platform
    observe: Callable[[str], Awaitable[Snapshot]]
    saw: Callable[[str, Snapshot, Decision], None] = _nobody

    async def __call__(self, model: str) -> float | None:
        """Seconds until the Model wants to be looked at again; None: when something changes."""
        snapshot = await self.observe(model)
        decision = decide(snapshot)
        await self._apply(model, snapshot, decision)
        self.saw(model, snapshot, decision)
        return decision.requeue_after

    async def _apply(self, model: str, snapshot: Snapshot, decision: Decision) -> None:
        await self.platform.runs.apply(model, decision.runs)
        await self.platform.backends.apply(model, decision.backends)
        await self.platform.routes.apply(model, decision.route)
        await self._write_statuses(snapshot, decision)
        namespace = snapshot.model.metadata.namespace if snapshot.model else "default"
        await self.platform.events.append(namespace, decision.events)
        await self._release(snapshot, decision)

    async def _write_statuses(self, snapshot: Snapshot, decision: Decision) -> None:
        objects = self.platform.objects
        for version in sorted(snapshot.versions, key=lambda v: _rank(v, decision)):
            status = decision.version_statuses.get(version.metadata.name)
            if status is not None and status != version.status:
                await objects.write_version_status(version, status)
        model, wanted = snapshot.model, decision.model_status
        if model is not None and wanted is not None and wanted != model.status:
            await objects.write_model_status(model, wanted)

    async def _release(self, snapshot: Snapshot, decision: Decision) -> None:
        for version in snapshot.versions:
            if version.metadata.name in decision.release_versions:
                await self.platform.objects.release(version)
        if snapshot.model is not None and decision.release_model:
            await self.platform.objects.release(snapshot.model)


def _rank(version: ModelVersion, decision: Decision) -> int:
    """Who is remembered first, whatever cuts the pass.

    Who takes over before who goes: between the two, somebody serves. Then whose rollout it is:
    what it has reached must not wait for what others tell of their share.
    """
    if _takes_over(version, decision):
        return 0
    status = decision.version_statuses.get(version.metadata.name)
    return 1 if status is not None and status.slot_taken_at is not None else 2


def _takes_over(version: ModelVersion, decision: Decision) -> bool:
    """It is promoted by this decision."""
    before, status = version.status.rollout, decision.version_statuses.get(version.metadata.name)
    promoted = before is not None and before.promoted_at is not None
    after = status.rollout if status is not None else None
    return not promoted and after is not None and after.promoted_at is not None


class Meter(Protocol):
    """Who counts passes."""

    def began(self, model: str) -> None: ...

    def ended(self, model: str, error: str) -> None:
        """``error``: transient, conflict, terminal, unexpected, or empty."""
        ...


class Unmetered:
    """Nobody counts."""

    def began(self, model: str) -> None: ...

    def ended(self, model: str, error: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """The loop around ``reconcile``: a watch feeds the queue, workers drain it, until cancelled."""

    reconcile: Callable[[str], Awaitable[float | None]]
    watches: tuple[Callable[[], AsyncIterator[str]], ...]
    workers: int = 4
    meter: Meter = field(default_factory=Unmetered)
    queue: DelayQueue = field(default_factory=DelayQueue)

    async def run(self) -> None:
        queue, failures = self.queue, dict[str, int]()
        async with asyncio.TaskGroup() as tasks:
            for watch in self.watches:
                tasks.create_task(_feed(queue, watch))
            for _ in range(self.workers):
                tasks.create_task(self._work(queue, failures))

    async def _work(self, queue: DelayQueue, failures: dict[str, int]) -> None:
        while True:
            model = await queue.get()
            error = "cancelled"
            self.meter.began(model)
            try:
                delay, error = await self._pass(model, failures)
                if delay is not None:
                    queue.add(model, delay)
            finally:
                self.meter.ended(model, error)
                queue.done(model)

    async def _pass(self, model: str, failures: dict[str, int]) -> tuple[float | None, str]:
        """The delay until the next pass, and the kind of error (empty where there was none)."""
        try:
            delay = await self.reconcile(model)
        except Transient as error:
            log.info("will retry", extra={"model": model, "error": str(error)})
            return error.delay, "conflict" if isinstance(error, Conflict) else "transient"
        except Terminal as error:
            log.error("reconcile refused", extra={"model": model, "error": str(error)})
            return _backoff(model, failures), "terminal"
        except Exception as error:
            log.exception("reconcile failed", extra={"model": model, "error": str(error)})
            return _backoff(model, failures), "unexpected"
        failures.pop(model, None)
        return delay, ""


def _backoff(model: str, failures: dict[str, int]) -> float:
    """Longer with every failure in a row."""
    failures[model] = failures.get(model, 0) + 1
    return min(ERROR_DELAY_SECONDS * failures[model], ERROR_DELAY_LIMIT_SECONDS)


async def _feed(queue: DelayQueue, watch: Callable[[], AsyncIterator[str]]) -> None:
    while True:
        with suppress(Transient):
            async for model in watch():
                queue.add(model)
        await asyncio.sleep(ERROR_DELAY_SECONDS)
