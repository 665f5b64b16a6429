"""pgqueuer's queries as this worker uses them: fair between lanes, and fenced by owner.

pgqueuer writes by a job's id alone, so a worker that was taken for dead could finish or re-queue a
job that another holds by now. Every write here names the owner, and finishing is a settlement.
Which lanes are asked, and for how many jobs, is ``Turns``; taking them is the store's ``claims``,
and a lane's limit over all workers is pgqueuer's seats.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain import models, types
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from slipway_store import claims
from slipway_store import jobs as store
from slipway_store.jobs import kind_of
from slipway_worker.driver import StoreDriver
from slipway_worker.kinds import Kind, Registry
from slipway_worker.lanes import Turns
from slipway_worker.outcome import SUSPECT, Again, GivenUp, Patience, Stored
from slipway_worker.settlement import Settled, settle

LANES_PERIOD = 0.5
# Looks for jobs of silent workers within the time after which a worker is silent.
LOOKS_FOR_SILENT = 8

# The names that the migration gives; never what the environment says.
NAMES = DBSettings(
    prefix="",
    db_schema=None,
    channel=types.Channel(store.CHANNEL),
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.balanced,
)


class JobQueue(Queries):
    """One worker's view of the queue. ``outcomes`` is where the executor leaves what became."""

    def __init__(
        self,
        driver: StoreDriver,
        *,
        owner: QueueManagerId,
        kinds: Registry,
        concurrency: int,
        tenant_concurrency: int,
        patience: Patience,
    ) -> None:
        super().__init__(
            driver,
            qbe=QueryBuilderEnvironment(NAMES),
            qbq=QueryQueueBuilder(NAMES),
            qbs=QuerySchedulerBuilder(NAMES),
        )
        self.owner = owner
        self.outcomes: dict[types.JobId, Settled | Again] = {}
        self.held: set[types.JobId] = set()
        self._store_driver = driver
        self._kinds = kinds
        self._concurrency = concurrency
        self._tenant_concurrency = tenant_concurrency
        self._patience = patience
        self._suspects: set[types.JobId] = set()
        self._turns = Turns(self._rank_of)
        self._lanes_due = 0.0
        self._silent_due = 0.0
        self._freed = asyncio.Event()
        self._closed = False

    def kind(self, entrypoint: str) -> Kind | None:
        """A lane's kind."""
        return self._kinds.get(kind_of(entrypoint))

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[models.Job]:
        """The next jobs of the lane whose turn it is, as many as there is room for."""
        while (room := self._room(batch_size)) <= 0:
            self._freed.clear()
            await self._freed.wait()
            if self._closed:
                return []
        if time.monotonic() >= self._lanes_due:
            await self._look_for_lanes()
        found = await self._take_over(room, heartbeat_timeout) or await self._claim(room)
        if not found:
            self._lanes_due = 0.0
        return await self._without_suspects(found)

    def close(self) -> None:
        """Whoever waits for room is told that nothing more is taken."""
        self._closed = True
        self._freed.set()

    async def queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        return await super().queued_work(self._lanes())

    async def eligible_queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        return await super().eligible_queued_work(self._lanes())

    async def next_deferred_eta(self, entrypoints: list[QueueEntrypoint]) -> timedelta | None:
        return await super().next_deferred_eta(self._lanes())

    async def log_jobs(
        self,
        job_status: list[tuple[models.Job, types.JOB_STATUS, models.TracebackRecord | None]],
    ) -> None:
        """Settle what ran; pgqueuer calls it with a batch."""
        ids = [job.id for job, _, _ in job_status]
        told = [self.outcomes.pop(job_id, None) for job_id in ids]
        batch = [one for one in told if isinstance(one, Settled)]
        try:
            await self._settle(batch)
        finally:
            self._free(ids)

    async def retry_job(
        self,
        job: models.Job,
        delay: timedelta,
        traceback_record: models.TracebackRecord | None,
    ) -> None:
        """Queue it again, if it is still ours."""
        told = self.outcomes.pop(job.id, None)
        counts = not isinstance(told, Again) or told.counts
        await self._put_back(job.id, delay=delay, counts=counts)
        self._free([job.id])

    async def update_heartbeat(self, job_ids: list[types.JobId]) -> None:
        pool, ids = self._store_driver.picks, list(set(job_ids))
        await self._store_driver.patiently(lambda: store.beat(pool, self.owner, ids))

    def _room(self, batch_size: int) -> int:
        """A suspect leaves none."""
        if self._suspects & self.held:
            return 0
        return min(batch_size, self._concurrency - len(self.held))

    def _free(self, ids: Iterable[types.JobId]) -> None:
        self.held.difference_update(ids)
        self._freed.set()

    async def _settle(self, batch: Sequence[Settled]) -> None:
        if not batch:
            return
        pool = self._store_driver.pool
        refused = await self._store_driver.patiently(lambda: settle(pool, self.owner, batch))
        for one, error in refused:
            outcome = self._patience.judge(
                error, attempts=one.job.attempts, age=0.0, luck=random.random()
            )
            if isinstance(outcome, GivenUp) and isinstance(one.outcome, Stored):
                await self._settle([replace(one, outcome=outcome)])
            else:
                delay = outcome.delay if isinstance(outcome, Again) else self._patience.delay_limit
                await self._put_back(one.job.id, delay=timedelta(seconds=delay), counts=True)

    async def _without_suspects(self, found: list[models.Job]) -> list[models.Job]:
        """All but suspects beyond one, which are put back before any of them runs.

        A suspect that ends its worker must not take others with it: none is taken beside it, and
        nothing else while it runs.
        """
        kept = []
        for job in found:
            suspect = deaths_of(job) >= SUSPECT
            if suspect and self._suspects & self.held:
                delay = timedelta(seconds=self._patience.first_delay * (1 + random.random()))
                await self._put_back(job.id, delay=delay, counts=False)
                continue
            self.held.add(job.id)
            self._suspects = {job.id} if suspect else self._suspects
            kept.append(job)
        return kept

    async def _put_back(self, job_id: int, *, delay: timedelta, counts: bool) -> None:
        pool = self._store_driver.pool
        await self._store_driver.patiently(
            lambda: store.put_back(pool, self.owner, job_id, delay=delay, counts=counts)
        )

    async def _look_for_lanes(self) -> None:
        pool = self._store_driver.picks
        self._turns.update(await self._store_driver.patiently(lambda: store.busy_lanes(pool)))
        self._lanes_due = time.monotonic() + LANES_PERIOD

    async def _claim(self, room: int) -> list[models.Job]:
        picks, limit = self._store_driver.picks, self._tenant_concurrency
        for lanes in self._turns.groups(room, limit=limit):
            ask = partial(claims.claim, picks, self.owner, lanes, room=room, limit=limit)
            rows = await self._store_driver.patiently(ask)
            for lane in {row["entrypoint"] for row in rows} or lanes:
                self._turns.serve(lane)
            if rows:
                return [models.Job.model_validate(dict(row)) for row in rows]
        return []

    async def _take_over(self, room: int, silent: timedelta) -> list[models.Job]:
        """What a silent worker left; looked for a few times within the time that it is given."""
        if time.monotonic() < self._silent_due:
            return []
        picks = self._store_driver.picks
        rows = await self._store_driver.patiently(
            lambda: claims.take_over(picks, self.owner, self._turns.known, room=room, silent=silent)
        )
        if len(rows) < room:
            self._silent_due = time.monotonic() + silent.total_seconds() / LOOKS_FOR_SILENT
        return [models.Job.model_validate(dict(row)) for row in rows]

    def _lanes(self) -> list[QueueEntrypoint]:
        return [QueueEntrypoint(lane) for lane in self._turns.known]

    def _rank_of(self, lane: str) -> int | None:
        kind = self.kind(lane)
        return None if kind is None else kind.rank


def deaths_of(job: models.Job) -> int:
    """How many workers ended while they held it; the migration's trigger counts."""
    deaths = (job.headers or {}).get("deaths", 0)
    return deaths if isinstance(deaths, int) else 0
