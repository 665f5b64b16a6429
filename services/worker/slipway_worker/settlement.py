"""How jobs leave the queue: their effects and their rows in one transaction, many at a time.

The rows go first, and only those that this worker still holds: what another worker has taken
meanwhile is dropped here, and its effect stored there. Where a batch is refused, its jobs are tried
one by one and the refused one counts a failed attempt, so one bad result never holds up the rest.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from slipway_store import jobs as store
from slipway_store.connect import Connection, Pool
from slipway_store.jobs import Burial
from slipway_worker.kinds import Afterwards, Dead, Finished, Job, Kind
from slipway_worker.outcome import GivenUp, Stored

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A job that ran, with its kind and what became of it."""

    job: Job
    kind: Kind
    outcome: Stored | GivenUp


async def settle(
    pool: Pool, owner: UUID, batch: Sequence[Settled]
) -> list[tuple[Settled, Exception]]:
    """Store a batch; gives the jobs whose effect PostgreSQL refused, which are in the queue still.

    Raises ``UNAVAILABLE`` errors; then nothing was stored or, if the answer was lost, a repeat is
    harmless.
    """
    try:
        await _in_one(pool, owner, batch)
    except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
        raise
    except (asyncpg.PostgresError, ValueError, TypeError) as error:
        if len(batch) == 1:
            logger.error("the effect of job %s cannot be stored: %s", batch[0].job.id, error)
            return [(batch[0], error)]
    else:
        return []
    refused = []
    for one in batch:
        refused += await settle(pool, owner, [one])
    return refused


async def _in_one(pool: Pool, owner: UUID, batch: Sequence[Settled]) -> None:
    afterwards: list[Afterwards] = []
    async with pool.acquire() as connection, connection.transaction():
        finished = [one for one in batch if isinstance(one.outcome, Stored)]
        if finished:
            held = await store.take_out(connection, owner, [one.job.id for one in finished])
            mine = [one for one in finished if one.job.id in held]
            afterwards += await _store(connection, mine)
        dead = [(one, one.outcome) for one in batch if isinstance(one.outcome, GivenUp)]
        if dead:
            burials = [_burial(one.job, outcome) for one, outcome in dead]
            held = await store.bury(connection, owner, burials)
            afterwards += await _fail(connection, [pair for pair in dead if pair[0].job.id in held])
    for work in afterwards:
        if work is not None:
            work()


def _burial(job: Job, outcome: GivenUp) -> Burial:
    return Burial(
        id=job.id, reason=outcome.reason, attempts=job.attempts + job.deaths + outcome.ran
    )


async def _store(connection: Connection, batch: Sequence[Settled]) -> list[Afterwards]:
    by_kind: dict[str, list[Settled]] = defaultdict(list)
    for one in batch:
        by_kind[one.kind.name].append(one)
    afterwards = []
    for group in by_kind.values():
        results = [
            Finished(job=one.job, result=one.outcome.result)
            for one in group
            if isinstance(one.outcome, Stored)
        ]
        afterwards.append(await group[0].kind.store(connection, results))
    return afterwards


async def _fail(
    connection: Connection, batch: Sequence[tuple[Settled, GivenUp]]
) -> list[Afterwards]:
    afterwards = []
    for one, outcome in batch:
        dead = Dead(job=one.job, reason=outcome.reason, told=outcome.told)
        afterwards.append(await one.kind.fail(connection, [dead]))
    return afterwards
