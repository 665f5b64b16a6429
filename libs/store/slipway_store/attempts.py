"""Shipping the attempts log: rows and the segment's offset in one transaction, repeatable.

``copy`` is the fast way, for tuples (``tuples``) that go into an empty place: it moves the offset
only from where the caller thinks it is. ``ship`` takes rows and leaves those that are there already
as they are; it cleans values (``clean``): one that PostgreSQL refuses would block its segment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from typing import Any

from slipway_contracts.attempt import ATTEMPT_COLUMNS, Attempt, Overdue
from slipway_store import tuples
from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool

OVERDUE_COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Overdue))
_BEGIN_OFFSET = """INSERT INTO log_offsets (gateway, segment, shipped) VALUES ($1, $2, $3)
ON CONFLICT (gateway, segment) DO UPDATE SET shipped = EXCLUDED.shipped
WHERE log_offsets.shipped = $4 RETURNING true"""
_MOVE_OFFSET = """UPDATE log_offsets SET shipped = $3
WHERE gateway = $1 AND segment = $2 AND shipped = $4 RETURNING true"""
_TYPES = {
    **dict.fromkeys(("attempt", "status", "prompt_tokens", "completion_tokens"), "int[]"),
    **dict.fromkeys(("timestamp", "started_at"), "timestamptz[]"),
    **dict.fromkeys(("processing_time_ms", "ttft_ms", "token_ms"), "float8[]"),
    **dict.fromkeys(
        (
            *("stream", "shadow", "error", "refused", "empty", "truncated", "schema_invalid"),
            *("overdue", "client_gone"),
        ),
        "bool[]",
    ),
    "routes_revision": "bigint[]",
}


async def copy(
    pool: Pool,
    *,
    gateway: str,
    segment: str,
    start: int,
    end: int,
    attempts: Sequence[bytes],
    columns: Sequence[str],
    overdue: Sequence[Overdue] = (),
) -> int:
    """Store tuples of ``columns``, the rows between two offsets of the segment.

    Returns the offset that is stored now: ``end``, or another one where the segment was not at
    ``start`` (the answer to an earlier call was lost); then nothing was stored. Raises like
    ``ship``, and integrity errors for a row that is there already.
    """
    async with pool.acquire() as connection, connection.transaction():
        moved = await connection.fetchval(
            _BEGIN_OFFSET if start == 0 else _MOVE_OFFSET, gateway, segment, end, start
        )
        if not moved:
            return await _shipped_offset(connection, gateway, segment)
        if attempts:
            await connection.copy_to_table(
                "request_logs",
                columns=columns,
                source=_once(b"".join((tuples.HEADER, *attempts, tuples.TRAILER))),
                format="binary",
            )
        await _insert(connection, "overdue_events", OVERDUE_COLUMNS, overdue)
        return end


async def ship(
    pool: Pool,
    *,
    gateway: str,
    segment: str,
    offset: int,
    attempts: Sequence[Attempt],
    overdue: Sequence[Overdue] = (),
) -> bool:
    """Store the rows that end at ``offset`` of the segment. False when they were stored before.

    Rows that are there already (an overlapping batch) are left as they are. Raises ``UNAVAILABLE``
    errors; then nothing was stored or, if the answer was lost, a repeat is harmless.
    """
    async with pool.acquire() as connection, connection.transaction():
        moved = await connection.fetchval(
            """INSERT INTO log_offsets (gateway, segment, shipped) VALUES ($1, $2, $3)
            ON CONFLICT (gateway, segment) DO UPDATE SET shipped = EXCLUDED.shipped
            WHERE log_offsets.shipped < EXCLUDED.shipped RETURNING true""",
            *(gateway, segment, offset),
        )
        if not moved:
            return False
        await _insert(connection, "request_logs", ATTEMPT_COLUMNS, attempts)
        await _insert(connection, "overdue_events", OVERDUE_COLUMNS, overdue)
        return True


async def insert(pool: Pool, row: Attempt | Overdue) -> None:
    """Store one row that no batch could take along. One that is there already is left as it is."""
    async with pool.acquire() as connection:
        if isinstance(row, Attempt):
            await _insert(connection, "request_logs", ATTEMPT_COLUMNS, [row])
        else:
            await _insert(connection, "overdue_events", OVERDUE_COLUMNS, [row])


async def shipped_offset(pool: Pool, gateway: str, segment: str) -> int:
    """Up to where the segment is stored; 0 for an unknown segment."""
    async with pool.acquire() as connection:
        return await _shipped_offset(connection, gateway, segment)


async def forget_segment(pool: Pool, gateway: str, segment: str) -> None:
    """Drop the offset of a segment whose file is gone for good."""
    await pool.execute(
        "DELETE FROM log_offsets WHERE gateway = $1 AND segment = $2", gateway, segment
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _shipped_offset(connection: Connection, gateway: str, segment: str) -> int:
    stored = await connection.fetchval(
        "SELECT shipped FROM log_offsets WHERE gateway = $1 AND segment = $2", gateway, segment
    )
    return int(stored or 0)


async def _insert(
    connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Any]
) -> None:
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in columns)
    arrays = ", ".join(
        f"${number}::{_TYPES.get(name, 'text[]')}" for number, name in enumerate(columns, start=1)
    )
    await connection.execute(
        f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING",
        *([_clean_column(name, getattr(row, name)) for row in rows] for name in columns),
    )


def _clean_column(name: str, value: Any) -> Any:
    if name == "routes_revision":
        return value
    cleaned = clean(value)
    return 0.0 if cleaned is None and name == "processing_time_ms" else cleaned
