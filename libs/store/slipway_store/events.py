"""The append-only event list of local mode: what happened to which object, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from slipway_store.clean import clean
from slipway_store.connect import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row. ``id`` rises with time, so a reader asks for what is ``after`` the last it saw."""

    id: int
    at: datetime
    kind: str
    namespace: str
    name: str
    type: str
    reason: str
    message: str


async def append(
    pool: Pool,
    *,
    kind: str,
    name: str,
    type: str,  # noqa: A002 (the field's name in Kubernetes)
    reason: str,
    message: str,
    namespace: str = "default",
) -> None:
    """Add one event; ``type`` is Normal or Warning. An exact repeat of the object's last is left
    out: a reconcile that was killed after its events says nothing twice.
    """
    await pool.execute(
        """INSERT INTO events (kind, namespace, name, type, reason, message)
        SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
            SELECT FROM (
                SELECT type, reason, message FROM events
                WHERE kind = $1 AND namespace = $2 AND name = $3 ORDER BY id DESC LIMIT 1
            ) AS last WHERE last.type = $4 AND last.reason = $5 AND last.message = $6)""",
        *(kind, namespace, name, type, reason, clean(message)),
    )


async def list_events(
    pool: Pool,
    *,
    kind: str | None = None,
    name: str | None = None,
    namespace: str | None = None,
    after: int = 0,
    limit: int = 200,
) -> list[Event]:
    """The last ``limit`` events with an id above ``after``, oldest first; None matches all."""
    rows = await pool.fetch(
        """SELECT * FROM (
            SELECT id, at, kind, namespace, name, type, reason, message FROM events
            WHERE id > $1 AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR name = $3)
                AND ($4::text IS NULL OR namespace = $4)
            ORDER BY id DESC LIMIT $5) AS last ORDER BY id""",
        *(after, kind, name, namespace, limit),
    )
    return [Event(**dict(row)) for row in rows]
