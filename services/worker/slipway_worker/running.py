"""Running one job: the kind's ``run`` under a time limit, and what becomes of the job after it.

It is pgqueuer's executor. What a job became is left with the queue, which stores it; here nothing
is written. A worker that must leave gives its jobs back: that costs them no attempt.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain import models
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.types import QueueEntrypoint

from slipway_store.jobs import kind_of
from slipway_telemetry.tracing import Tracer
from slipway_worker.kinds import Job, Kind, Registry
from slipway_worker.metrics import Metrics
from slipway_worker.outcome import Again, GivenUp, Outcome, Patience, Stored
from slipway_worker.queue import JobQueue, deaths_of
from slipway_worker.settlement import Settled
from slipway_worker.tracing import job_trace

logger = logging.getLogger(__name__)

GIVEN_BACK = Again(delay=0.0, counts=False, reason="the worker leaves")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What every run shares. ``leaving`` set: jobs are given back."""

    queue: JobQueue
    patience: Patience
    metrics: Metrics
    time_limit: float
    leaving: asyncio.Event
    tracer: Tracer | None = None
    running: set[asyncio.Task[Any]] = field(default_factory=set)

    def give_back(self) -> None:
        """End every run; call when ``leaving`` is set."""
        for task in self.running:
            task.cancel()


@dataclass
class JobExecutor(AbstractEntrypointExecutor):
    """One lane's executor."""

    kind: Kind = field(kw_only=True)
    conditions: Conditions = field(kw_only=True)

    async def execute(self, job: models.Job, context: models.Context) -> None:
        """Leaves a ``Settled``, or raises RetryRequested beside an ``Again``."""
        conditions = self.conditions
        own = _own(job)
        began = monotonic()
        outcome = await self._run(own, age=_age(job))
        conditions.metrics.ran(self.kind.name, outcome, monotonic() - began)
        if isinstance(outcome, Again):
            conditions.queue.outcomes[job.id] = outcome
            raise RetryRequested(timedelta(seconds=outcome.delay), outcome.reason)
        if isinstance(outcome, GivenUp):
            logger.warning("job %s is given up: %s", job.id, outcome.reason)
        conditions.queue.outcomes[job.id] = Settled(job=own, kind=self.kind, outcome=outcome)

    async def _run(self, job: Job, *, age: float) -> Outcome:
        conditions = self.conditions
        forlorn = conditions.patience.forlorn(job.deaths)
        if forlorn is not None:
            return forlorn
        task = asyncio.current_task()
        assert task is not None
        conditions.running.add(task)
        try:
            if conditions.leaving.is_set():
                return GIVEN_BACK
            with job_trace(conditions.tracer, self.kind.name, job):
                async with asyncio.timeout(conditions.time_limit):
                    return Stored(result=await self.kind.run(job))
        except asyncio.CancelledError:
            if not conditions.leaving.is_set():
                raise
            task.uncancel()
            return GIVEN_BACK
        except Exception as error:
            return conditions.patience.judge(
                error, attempts=job.attempts, age=age, luck=random.random()
            )
        finally:
            conditions.running.discard(task)


class Executors(dict[QueueEntrypoint, AbstractEntrypointExecutor]):
    """pgqueuer's registry: a lane's executor is made when its first job comes."""

    def __init__(self, kinds: Registry, conditions: Conditions) -> None:
        super().__init__()
        self._kinds = kinds
        self._conditions = conditions

    def __missing__(self, lane: QueueEntrypoint) -> AbstractEntrypointExecutor:
        kind = self._kinds.get(kind_of(lane))
        if kind is None:
            raise KeyError(lane)
        executor = JobExecutor(
            EntrypointExecutorParameters(concurrency_limit=0, func=_never, accepts_context=True),
            kind=kind,
            conditions=self._conditions,
        )
        self[lane] = executor
        return executor


async def _never(job: models.Job) -> None:
    raise AssertionError(f"the executor runs job {job.id} itself")


def _own(job: models.Job) -> Job:
    _, _, tenant = job.entrypoint.partition(":")
    return Job(
        id=job.id,
        tenant=tenant,
        payload=job.payload or b"",
        attempts=job.attempts,
        deaths=deaths_of(job),
    )


def _age(job: models.Job) -> float:
    return (datetime.now(UTC) - job.created).total_seconds()
