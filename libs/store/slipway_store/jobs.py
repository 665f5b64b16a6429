"""The job queue: what puts jobs in, takes them out for good, and brings dead ones back.

The tables are pgqueuer's and the worker picks with that library; here is what must share a
transaction with something else. A job leaves the queue in the transaction that stores its effect,
and only for the worker that holds it (``owner``), so a job has one effect however often it ran.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from slipway_store.audit import SYSTEM, Actor, record
from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool
from slipway_store.errors import NotFound

CHANNEL = "ch_pgqueuer"
REASON_LIMIT = 2_000
# What a kind's row goes back to when its dead jobs are tried again; $1 is their payloads.
_REOPEN: Mapping[str, str] = {
    "question": """UPDATE questions SET state = 'waiting', answer_text = NULL, answered_at = NULL
        FROM unnest($1::bytea[]) AS payload
        WHERE state = 'failed'
            AND id = (convert_from(payload, 'UTF8')::jsonb ->> 'question')::bigint""",
    # A line of a batch that has ended stays as the error file has it.
    "batch-line": """WITH told AS (
            SELECT convert_from(payload, 'UTF8')::jsonb AS job FROM unnest($1::bytea[]) AS payload
        ), open AS (
            SELECT id FROM batches WHERE id IN (SELECT job ->> 'batch' FROM told)
                AND status = 'in_progress' ORDER BY id FOR UPDATE
        ), reopened AS (
            UPDATE batch_lines SET state = 'waiting', error = NULL FROM told, open
            WHERE batch_id = open.id AND batch_id = job ->> 'batch'
                AND line = (job ->> 'line')::int AND state = 'failed' AND status_code IS NULL
            RETURNING batch_id
        )
        UPDATE batches SET failed = failed - count
        FROM (SELECT batch_id, count(*) FROM reopened GROUP BY batch_id) AS again
        WHERE id = batch_id""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A job that waits or runs. ``due`` is when it may run; ``attempts`` failed before."""

    id: int
    kind: str
    tenant: str
    state: str
    priority: int
    attempts: int
    created_at: datetime
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadJob:
    """A job that was given up, and why."""

    id: int
    kind: str
    tenant: str
    attempts: int
    reason: str
    created_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Burial:
    """A job to give up."""

    id: int
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """One kind's queue. ``waiting`` jobs may run now; ``delayed`` ones wait for their time."""

    kind: str
    waiting: int = 0
    delayed: int = 0
    running: int = 0
    dead: int = 0
    oldest_seconds: float = 0.0


def lane(kind: str, tenant: str) -> str:
    """The queue's name for the jobs of one kind and tenant."""
    return f"{kind}:{tenant}"


def kind_of(entrypoint: str) -> str:
    """A lane's kind."""
    return entrypoint.partition(":")[0]


async def enqueue(
    connection: Connection | Pool,
    kind: str,
    payload: Mapping[str, Any],
    *,
    tenant: str,
    priority: int = 0,
    key: str | None = None,
) -> int | None:
    """A new job's id; None where a job with this key is queued or running already."""
    stored = await connection.fetchval(
        """INSERT INTO pgqueuer (priority, entrypoint, payload, dedupe_key, status)
        VALUES ($1, $2, $3, $4, 'queued')
        ON CONFLICT (dedupe_key) WHERE status IN ('queued', 'picked') AND dedupe_key IS NOT NULL
        DO NOTHING RETURNING id""",
        *(priority, lane(kind, clean(tenant)), json.dumps(payload).encode(), key),
    )
    return None if stored is None else int(stored)


async def has_queue(pool: Pool) -> bool:
    """Whether the schema is there; a process may start before it, or before its newest part."""
    return await pool.fetchval("SELECT to_regclass('file_chunks')") is not None


async def busy_lanes(pool: Pool) -> list[str]:
    """The lanes that hold jobs now; its cost grows with them, not with their jobs."""
    rows = await pool.fetch(
        """WITH RECURSIVE queued AS (
            (SELECT entrypoint FROM pgqueuer WHERE status = 'queued'
                ORDER BY entrypoint LIMIT 1)
            UNION ALL
            SELECT (SELECT p.entrypoint FROM pgqueuer p
                WHERE p.status = 'queued' AND p.entrypoint > queued.entrypoint
                ORDER BY p.entrypoint LIMIT 1)
            FROM queued WHERE queued.entrypoint IS NOT NULL
        )
        SELECT entrypoint FROM queued WHERE entrypoint IS NOT NULL
        UNION SELECT entrypoint FROM pgqueuer WHERE status = 'picked'"""
    )
    return [row["entrypoint"] for row in rows]


async def take_out(connection: Connection, owner: UUID, jobs: Sequence[int]) -> set[int]:
    """Remove finished jobs; those that ``owner`` still held. Call first in the transaction."""
    rows = await connection.fetch(
        """DELETE FROM pgqueuer
        WHERE id = ANY($1::bigint[]) AND status = 'picked' AND queue_manager_id = $2
        RETURNING id""",
        *(list(jobs), owner),
    )
    return {row["id"] for row in rows}


async def bury(connection: Connection, owner: UUID, dead: Sequence[Burial]) -> set[int]:
    """Move jobs to the dead ones; those that ``owner`` still held."""
    rows = await connection.fetch(
        """WITH gone AS (
            DELETE FROM pgqueuer
            WHERE id = ANY($1::bigint[]) AND status = 'picked' AND queue_manager_id = $4
            RETURNING *
        )
        INSERT INTO dead_jobs (id, kind, tenant, priority, payload, attempts, reason, created_at)
        SELECT gone.id, split_part(entrypoint, ':', 1),
            substr(entrypoint, strpos(entrypoint, ':') + 1), priority, payload,
            told.attempts, told.reason, created
        FROM gone JOIN unnest($1::bigint[], $2::text[], $3::int[]) AS told (id, reason, attempts)
            USING (id)
        RETURNING id""",
        [burial.id for burial in dead],
        [clean(burial.reason)[:REASON_LIMIT] for burial in dead],
        [burial.attempts for burial in dead],
        owner,
    )
    return {row["id"] for row in rows}


async def put_back(
    connection: Connection | Pool,
    owner: UUID,
    job: int,
    *,
    delay: timedelta,
    counts: bool,
) -> bool:
    """Queue a job again, due after ``delay``; ``counts`` an attempt. False: it is another's now."""
    row = await connection.fetchval(
        """UPDATE pgqueuer SET status = 'queued', execute_after = now() + $3, updated = now(),
            attempts = attempts + $4, queue_manager_id = NULL, slot = NULL
        WHERE id = $1 AND status = 'picked' AND queue_manager_id = $2 RETURNING id""",
        *(job, owner, delay, int(counts)),
    )
    return row is not None


async def give_back(pool: Pool, owner: UUID) -> int:
    """Queue again what ``owner`` still holds, for the others at once; how many."""
    rows = await pool.fetch(
        """WITH given AS (
            UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(),
                queue_manager_id = NULL, slot = NULL
            WHERE status = 'picked' AND queue_manager_id = $1 RETURNING id
        )
        SELECT id, pg_notify($2, json_build_object('channel', $2::text, 'operation', 'update',
            'sent_at', now(), 'table', 'pgqueuer', 'type', 'table_changed_event')::text)
        FROM given""",
        *(owner, CHANNEL),
    )
    return len(rows)


async def beat(connection: Connection | Pool, owner: UUID, jobs: Sequence[int]) -> None:
    """The holder of these jobs lives."""
    await connection.execute(
        """UPDATE pgqueuer SET heartbeat = now()
        WHERE id = ANY($1::bigint[]) AND status = 'picked' AND queue_manager_id = $2""",
        *(list(jobs), owner),
    )


async def prune(pool: Pool, *, log_age: timedelta) -> None:
    """Drop what pgqueuer's log holds of the time before; nothing reads it."""
    await pool.execute("DELETE FROM pgqueuer_log WHERE created < now() - $1::interval", log_age)


async def depths(pool: Pool) -> list[Depth]:
    """Every kind that has jobs, by name."""
    rows = await pool.fetch(
        """SELECT split_part(entrypoint, ':', 1) AS kind,
            count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS waiting,
            count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS delayed,
            count(*) FILTER (WHERE status = 'picked') AS running, 0::bigint AS dead,
            coalesce(extract(epoch FROM now() - min(created) FILTER (
                WHERE status = 'queued' AND execute_after <= now())), 0)::float8 AS oldest_seconds
        FROM pgqueuer GROUP BY 1
        UNION ALL SELECT kind, 0, 0, 0, count(*), 0 FROM dead_jobs GROUP BY 1"""
    )
    found: dict[str, Depth] = {}
    for row in rows:
        known = found.get(row["kind"], Depth(kind=row["kind"]))
        found[known.kind] = Depth(
            kind=known.kind,
            waiting=known.waiting + row["waiting"],
            delayed=known.delayed + row["delayed"],
            running=known.running + row["running"],
            dead=known.dead + row["dead"],
            oldest_seconds=max(known.oldest_seconds, row["oldest_seconds"]),
        )
    return [found[kind] for kind in sorted(found)]


async def list_queued(pool: Pool, *, limit: int = 200) -> list[QueuedJob]:
    """What waits or runs, in the order in which it was queued."""
    rows = await pool.fetch(
        """SELECT id, split_part(entrypoint, ':', 1) AS kind,
            substr(entrypoint, strpos(entrypoint, ':') + 1) AS tenant,
            CASE WHEN status = 'picked' THEN 'running' WHEN execute_after > now() THEN 'delayed'
                ELSE 'waiting' END AS state,
            priority, attempts, created AS created_at, execute_after AS due
        FROM pgqueuer WHERE status IN ('queued', 'picked') ORDER BY id LIMIT $1""",
        limit,
    )
    return [QueuedJob(**dict(row)) for row in rows]


async def list_dead(pool: Pool, *, limit: int = 200) -> list[DeadJob]:
    """What was given up, the latest first."""
    rows = await pool.fetch(
        """SELECT id, kind, tenant, attempts, reason, created_at, died_at
        FROM dead_jobs ORDER BY died_at DESC, id DESC LIMIT $1""",
        limit,
    )
    return [DeadJob(**dict(row)) for row in rows]


async def retry_dead(
    pool: Pool, jobs: Sequence[int] | None = None, *, actor: Actor = SYSTEM
) -> list[int]:
    """Queue dead jobs again as new, under their old ids; None: all of them.

    Raises NotFound, and changes nothing, where one of the ids is not a dead job.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            "DELETE FROM dead_jobs WHERE $1::bigint[] IS NULL OR id = ANY($1) RETURNING *",
            None if jobs is None else list(jobs),
        )
        missing = set(jobs or ()) - {row["id"] for row in rows}
        if missing:
            raise NotFound(
                f"no dead job has the id {', '.join(map(str, sorted(missing)))}; "
                "`slipway jobs list` shows them"
            )
        await _requeue(connection, rows)
        retried = sorted(row["id"] for row in rows)
        if retried:
            await record(connection, actor, "jobs.retry", "jobs", after={"ids": retried})
    return retried


async def _requeue(connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
    await connection.executemany(
        """INSERT INTO pgqueuer (id, priority, entrypoint, payload, status)
        VALUES ($1, $2, $3, $4, 'queued')""",
        [(r["id"], r["priority"], lane(r["kind"], r["tenant"]), r["payload"]) for r in rows],
    )
    for kind, statement in _REOPEN.items():
        payloads = [row["payload"] for row in rows if row["kind"] == kind]
        if payloads:
            await connection.execute(statement, payloads)
