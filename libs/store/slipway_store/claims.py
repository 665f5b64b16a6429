"""How a worker takes jobs: the next ones of some lanes, and those whose worker went silent.

The tables, the seats (one a running job of a limited lane, unique in the database) and the order
(priority, then age) are pgqueuer's; its one statement for all of that costs ten times as much a
job, most of it for a log that nothing here reads. The jobs of a lane are chosen before they are
locked: two workers that look at once must not take twice as many as there are seats.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from slipway_store.connect import Connection, Pool

_SEATS = "pgqueuer_picked_slot_idx"
_TAKE = """UPDATE pgqueuer SET status = 'picked', updated = now(), heartbeat = now(),
        queue_manager_id = $3, slot = {seat}
    FROM locked WHERE pgqueuer.id = locked.id RETURNING pgqueuer.*"""
_LIMITED = f"""WITH free AS (
        SELECT lane, array_agg(seat ORDER BY seat) AS seats
        FROM unnest($1::text[]) AS lane CROSS JOIN generate_series(0, $4::int - 1) AS seat
        WHERE NOT EXISTS (SELECT FROM pgqueuer AS held
            WHERE held.entrypoint = lane AND held.status = 'picked' AND held.slot = seat)
        GROUP BY lane
    ), next AS (
        SELECT job.id, seats[job.place] AS seat
        FROM free CROSS JOIN LATERAL (
            SELECT id, priority, row_number() OVER (ORDER BY priority DESC, id) AS place FROM (
                SELECT id, priority FROM pgqueuer
                WHERE entrypoint = lane AND status = 'queued' AND execute_after <= now()
                ORDER BY priority DESC, id LIMIT least($2::int, cardinality(seats))
            ) AS first
        ) AS job
        ORDER BY job.priority DESC, job.id LIMIT $2
    ), locked AS (
        SELECT job.id, next.seat FROM next JOIN pgqueuer AS job USING (id)
        WHERE job.status = 'queued' FOR UPDATE OF job SKIP LOCKED
    )
    {_TAKE.format(seat="locked.seat")}"""
_UNLIMITED = f"""WITH locked AS (
        SELECT job.id FROM unnest($1::text[]) AS lane CROSS JOIN LATERAL (
            SELECT id, priority FROM pgqueuer
            WHERE entrypoint = lane AND status = 'queued' AND execute_after <= now()
            ORDER BY priority DESC, id LIMIT $2 FOR UPDATE SKIP LOCKED
        ) AS job
        ORDER BY job.priority DESC, job.id LIMIT $2
    )
    {_TAKE.format(seat="NULL")}"""
# Whoever takes a job over has its seat with it, so no seat has to be free.
_SILENT = f"""WITH locked AS (
        SELECT id FROM pgqueuer
        WHERE status = 'picked' AND entrypoint = ANY($1::text[])
            AND heartbeat < now() - $4::interval
        ORDER BY priority DESC, id LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    {_TAKE.format(seat="pgqueuer.slot")}"""


async def claim(
    connection: Connection | Pool, owner: UUID, lanes: Sequence[str], *, room: int, limit: int
) -> list[asyncpg.Record]:
    """Up to ``room`` jobs that may run now, with all columns; ``limit`` jobs a lane (0: any).

    Empty, too, where another worker was faster at the same seats.
    """
    try:
        if limit:
            rows = await connection.fetch(_LIMITED, list(lanes), room, owner, limit)
        else:
            rows = await connection.fetch(_UNLIMITED, list(lanes), room, owner)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _SEATS:
            raise
        return []
    return _in_order(rows)


async def take_over(
    connection: Connection | Pool,
    owner: UUID,
    lanes: Sequence[str],
    *,
    room: int,
    silent: timedelta,
) -> list[asyncpg.Record]:
    """Up to ``room`` jobs whose holder was not heard for ``silent``."""
    return _in_order(await connection.fetch(_SILENT, list(lanes), room, owner, silent))


def _in_order(rows: Sequence[asyncpg.Record]) -> list[asyncpg.Record]:
    return sorted(rows, key=lambda row: (-row["priority"], row["id"]))
