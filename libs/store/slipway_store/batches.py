"""OpenAI's batches: a file of requests, each a job of its own, and the files of their answers.

A batch is checked by a job (kind ``batch``), which makes a line and a job (``batch-line``) of each
request; who stores the last line's answer queues the job that writes the files (``batch-end``).
Each of these steps is the effect of a job, so it happens once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool
from slipway_store.files import CHUNK, new_file_id
from slipway_store.jobs import enqueue, lane

CHECK, LINE, END = "batch", "batch-line", "batch-end"
EXPIRED_AT_ONCE = 20
_EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as its tenant sees it; ``models``: what its key may use, empty: all."""

    id: str
    tenant: str
    endpoint: str
    input_file_id: str
    models: Sequence[str]
    metadata: Mapping[str, str] | None
    status: str
    errors: Any
    output_file_id: str | None
    error_file_id: str | None
    total: int
    completed: int
    failed: int
    created_at: datetime
    expires_at: datetime
    in_progress_at: datetime | None
    finalizing_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None
    cancelling_at: datetime | None
    cancelled_at: datetime | None
    expired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """One request of the input file. ``line`` counts from 1; ``request`` is its body."""

    line: int
    custom_id: str
    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRequest:
    """A line as the worker needs it."""

    batch_id: str
    line: int
    endpoint: str
    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEnd:
    """What became of a line: a response of any status, or an error without one."""

    batch_id: str
    line: int
    status_code: int | None = None
    request_id: str | None = None
    response: str | None = None
    error: Mapping[str, str] | None = None


_COLUMNS = ", ".join(field.name for field in fields(Batch))


async def create_batch(
    pool: Pool,
    *,
    tenant: str,
    endpoint: str,
    input_file_id: str,
    models: Sequence[str],
    metadata: Mapping[str, str] | None,
    priority: int,
    key_id: str = "",
) -> Batch:
    """Store it with the job that checks it. ``key_id``: whose limits its lines count for."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            f"""INSERT INTO batches
                (id, tenant, endpoint, input_file_id, models, metadata, priority)
            VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}""",
            *(f"batch_{secrets.token_hex(12)}", tenant, endpoint, input_file_id),
            *(list(models), metadata, priority),
        )
        assert row is not None
        payload = {"batch": row["id"], "key": key_id}
        await enqueue(connection, CHECK, payload, tenant=tenant, priority=priority)
    return Batch(**dict(row))


async def get_batch(pool: Pool, batch_id: str, *, tenant: str | None = None) -> Batch | None:
    """None where there is none, or it is another tenant's (``tenant`` None: anybody's)."""
    row = await pool.fetchrow(
        f"SELECT {_COLUMNS} FROM batches WHERE id = $1 AND ($2::text IS NULL OR tenant = $2)",
        *(clean(batch_id), tenant),
    )
    return None if row is None else Batch(**dict(row))


async def list_batches(pool: Pool, *, tenant: str, after: str | None, limit: int) -> list[Batch]:
    """The latest first, those that follow ``after``."""
    rows = await pool.fetch(
        f"""SELECT {_COLUMNS} FROM batches WHERE tenant = $1
            AND ($2::text IS NULL OR (created_at, id) < (
                SELECT created_at, id FROM batches WHERE id = $2 AND tenant = $1))
        ORDER BY created_at DESC, id DESC LIMIT $3""",
        *(tenant, clean(after), limit),
    )
    return [Batch(**dict(row)) for row in rows]


async def cancel_batch(pool: Pool, batch_id: str, *, tenant: str) -> Batch | None:
    """Lines that nobody has answered are left out; what ended already is not changed."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            """UPDATE batches SET status = 'cancelling', cancelling_at = clock_timestamp()
            WHERE id = $1 AND tenant = $2 AND status IN ('validating', 'in_progress')
            RETURNING id, priority""",
            *(clean(batch_id), tenant),
        )
        if row is not None:
            await connection.execute(
                "UPDATE batch_lines SET state = 'cancelled' WHERE batch_id = $1 "
                "AND state = 'waiting'",
                row["id"],
            )
            payload = {"batch": row["id"]}
            await enqueue(connection, END, payload, tenant=tenant, priority=row["priority"])
    return await get_batch(pool, batch_id, tenant=tenant)


async def refuse_batch(connection: Connection, batch_id: str, errors: Sequence[Any]) -> str | None:
    """The input cannot be run; ``errors`` are OpenAI's {code, message, param, line}.

    The status that it ended in; None: it had ended, or was cancelled.
    """
    status: str | None = await connection.fetchval(
        """WITH refused AS (
            UPDATE batches SET status = 'failed', failed_at = clock_timestamp(), errors = $2
            WHERE id = $1 AND status = 'validating' RETURNING id, status
        ), dropped AS (DELETE FROM batch_lines USING refused WHERE batch_id = id)
        SELECT status FROM refused""",
        *(batch_id, {"object": "list", "data": list(errors)}),
    )
    return status


async def store_lines(pool: Pool, batch_id: str, lines: Sequence[NewLine]) -> bool:
    """Lines of a batch that is being checked; storing one twice changes nothing. False where the
    batch is past that: it was cancelled, or its time is over."""
    async with pool.acquire() as connection, connection.transaction():
        # Held, so that whoever ends the batch drops these lines, too.
        is_checked = await connection.fetchval(
            "SELECT true FROM batches WHERE id = $1 AND status = 'validating' FOR SHARE", batch_id
        )
        if is_checked:
            await connection.execute(
                """INSERT INTO batch_lines (batch_id, line, custom_id, request)
                SELECT $1, * FROM unnest($2::int[], $3::text[], $4::bytea[])
                ON CONFLICT (batch_id, line) DO NOTHING""",
                *(batch_id, [one.line for one in lines]),
                *([clean(one.custom_id) for one in lines], [one.request for one in lines]),
            )
    return bool(is_checked)


async def begin_batch(connection: Connection, batch_id: str, *, key_id: str = "") -> None:
    """Its lines are stored (``store_lines``): each gets its job."""
    row = await connection.fetchrow(
        """UPDATE batches SET status = 'in_progress', in_progress_at = clock_timestamp(),
            total = (SELECT count(*) FROM batch_lines WHERE batch_id = $1)
        WHERE id = $1 AND status = 'validating' RETURNING tenant, priority""",
        batch_id,
    )
    if row is None:
        return
    await connection.execute(
        """INSERT INTO pgqueuer (priority, entrypoint, payload, status)
        SELECT $1, $2, convert_to(json_build_object('batch', $3::text, 'line', line, 'key',
            $4::text)::text, 'UTF8'), 'queued'
        FROM batch_lines WHERE batch_id = $3 ORDER BY line""",
        *(row["priority"], lane(LINE, row["tenant"]), batch_id, key_id),
    )


async def read_line(pool: Pool, batch_id: str, line: int) -> LineRequest | None:
    """None where it needs no answer any more."""
    row = await pool.fetchrow(
        """SELECT batch_id, line, endpoint, request FROM batch_lines
        JOIN batches ON batches.id = batch_id
        WHERE batch_id = $1 AND line = $2 AND state = 'waiting'""",
        *(batch_id, line),
    )
    return None if row is None else LineRequest(**dict(row))


async def end_lines(connection: Connection, ends: Sequence[LineEnd]) -> None:
    """Store what became of lines; batches that have no line left are queued for their end."""
    # In the order in which a cancellation locks, too.
    await connection.execute(
        "SELECT FROM batches WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE",
        sorted({end.batch_id for end in ends}),
    )
    rows = await connection.fetch(
        """WITH ended AS (
            UPDATE batch_lines SET status_code = told.code, request_id = told.request,
                response = told.response, error = told.error,
                state = CASE WHEN told.code = 200 THEN 'completed' ELSE 'failed' END
            FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::json[], $6::json[])
                AS told (batch, line, code, request, response, error)
            WHERE batch_id = told.batch AND batch_lines.line = told.line AND state = 'waiting'
            RETURNING batch_id, state
        ), counted AS (
            SELECT batch_id, count(*) FILTER (WHERE state = 'completed') AS good,
                count(*) FILTER (WHERE state = 'failed') AS bad
            FROM ended GROUP BY batch_id ORDER BY batch_id
        )
        UPDATE batches SET completed = completed + good, failed = failed + bad,
            status = CASE WHEN completed + failed + good + bad = total THEN 'finalizing'
                ELSE status END,
            finalizing_at = CASE WHEN completed + failed + good + bad = total
                THEN clock_timestamp() END
        FROM counted WHERE id = batch_id AND status = 'in_progress'
        RETURNING id, tenant, priority, status""",
        [end.batch_id for end in ends],
        [end.line for end in ends],
        [end.status_code for end in ends],
        [None if end.request_id is None else clean(end.request_id) for end in ends],
        [end.response for end in ends],
        [None if end.error is None else json.dumps(end.error) for end in ends],
    )
    for row in rows:
        if row["status"] == "finalizing":
            payload = {"batch": row["id"]}
            await enqueue(connection, END, payload, tenant=row["tenant"], priority=row["priority"])


async def expire_batches(pool: Pool) -> int:
    """End batches whose time is over: their waiting lines fail, what was answered is kept."""
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(
            """UPDATE batches SET status = 'finalizing', finalizing_at = clock_timestamp(),
                expired_at = clock_timestamp()
            WHERE id IN (SELECT id FROM batches
                WHERE status IN ('validating', 'in_progress') AND expires_at <= clock_timestamp()
                ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
            RETURNING id, tenant, priority""",
            EXPIRED_AT_ONCE,
        )
        for row in rows:
            await connection.execute(
                """WITH late AS (
                    UPDATE batch_lines SET state = 'failed', error = $2
                    FROM batches WHERE id = batch_id AND in_progress_at IS NOT NULL
                        AND batch_id = $1 AND state = 'waiting' RETURNING 1
                )
                UPDATE batches SET failed = failed + (SELECT count(*) FROM late) WHERE id = $1""",
                *(row["id"], json.dumps(_EXPIRED)),
            )
            payload = {"batch": row["id"]}
            await enqueue(connection, END, payload, tenant=row["tenant"], priority=row["priority"])
    return len(rows)


async def end_batch(connection: Connection, batch_id: str) -> str | None:
    """Write the files and drop the lines. The status that it ended in; None: it had ended."""
    output = await _write(connection, batch_id, "completed", "output")
    errors = await _write(connection, batch_id, "failed", "errors")
    status: str | None = await connection.fetchval(
        """UPDATE batches SET output_file_id = $2, error_file_id = $3,
            completed_at = CASE WHEN status = 'finalizing' AND expired_at IS NULL
                THEN clock_timestamp() END,
            cancelled_at = CASE WHEN status = 'cancelling' THEN clock_timestamp() END,
            status = CASE WHEN status = 'cancelling' THEN 'cancelled'
                WHEN expired_at IS NOT NULL THEN 'expired' ELSE 'completed' END
        WHERE id = $1 AND status IN ('finalizing', 'cancelling') RETURNING status""",
        *(batch_id, output, errors),
    )
    await connection.execute("DELETE FROM batch_lines WHERE batch_id = $1", batch_id)
    return status


async def _write(connection: Connection, batch_id: str, state: str, name: str) -> str | None:
    """A file of the lines in this state; None without any. Chunks hold whole lines."""
    file_id = new_file_id()
    await connection.execute(
        """WITH written AS (
            SELECT line, convert_to(json_build_object(
                'id', 'batch_req_' || substr(batch_id, 7) || '_' || line, 'custom_id', custom_id,
                'response', CASE WHEN status_code IS NOT NULL THEN json_build_object(
                    'status_code', status_code, 'request_id', request_id, 'body', response) END,
                'error', error)::text || chr(10), 'UTF8') AS content
            FROM batch_lines WHERE batch_id = $1 AND state = $2
        ), placed AS (
            SELECT line, content, sum(length(content)) OVER (ORDER BY line) / $4 AS number
            FROM written
        )
        INSERT INTO file_chunks (file_id, number, content)
        SELECT $3, number, string_agg(content, ''::bytea ORDER BY line)
        FROM placed GROUP BY number""",
        *(batch_id, state, file_id, CHUNK),
    )
    # Small ones go into the row, as releases before chunks read them.
    found: str | None = await connection.fetchval(
        """WITH size AS (
            SELECT sum(length(content)) AS bytes FROM file_chunks WHERE file_id = $2
        ), whole AS (
            SELECT string_agg(content, ''::bytea ORDER BY number) AS content
            FROM file_chunks, size WHERE file_id = $2 AND bytes <= $4
        )
        INSERT INTO files (id, tenant, filename, purpose, bytes, content)
        SELECT $2, tenant, $1 || '_' || $3::text || '.jsonl', 'batch_output', size.bytes,
            whole.content
        FROM size, whole, batches WHERE batches.id = $1 AND size.bytes > 0
        RETURNING id""",
        *(batch_id, file_id, name, CHUNK),
    )
    await connection.execute(
        """DELETE FROM file_chunks USING files
        WHERE file_id = $1 AND files.id = $1 AND files.content IS NOT NULL""",
        file_id,
    )
    return found
