"""The audit log: who changed what, when, with the state before and after, never a secret.

Written in the transaction of the change itself, so that neither exists alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: ``key:ID``, ``token:SUBJECT``, ``addr:IP`` or ``cli:USER``, and the request."""

    name: str
    request_id: str = ""


SYSTEM = Actor(name="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change. ``target`` is ``tenant:NAME``, ``key:ID`` or ``jobs``."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def record(
    connection: Connection,
    actor: Actor,
    action: str,
    target: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add one entry. The connection must hand jsonb through (``open_pool`` does)."""
    await connection.execute(
        """INSERT INTO audit_log (actor, action, target, request_id, before, after)
        VALUES ($1, $2, $3, $4, $5, $6)""",
        *(clean(actor.name), action, target, clean(actor.request_id)),
        *(None if before is None else dict(before), None if after is None else dict(after)),
    )


async def list_audit(
    pool: Pool, *, target: str | None = None, before_id: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Newest first; ``before_id`` goes on from the last entry of the page before."""
    rows = await pool.fetch(
        """SELECT * FROM audit_log WHERE ($1::text IS NULL OR target = $1)
            AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3""",
        *(target, before_id, limit),
    )
    return [AuditEntry(**dict(row)) for row in rows]
