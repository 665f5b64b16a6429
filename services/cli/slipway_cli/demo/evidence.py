"""The database's side of the demo's evidence: log rows, events and guard trips, read at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from slipway_cli.demo.ledger import LoggedAttempt
from slipway_store.connect import Pool
from slipway_store.routes import lowest_watermark

SHIPPED_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One line of the event list; ``at`` in unix seconds."""

    at: float
    kind: str
    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvidence:
    """What the database knows about the Model's traffic and versions. ``tripped``: version uid or
    rollout id → when its guard first tripped.
    """

    attempts: tuple[LoggedAttempt, ...] = ()
    events: tuple[LoggedEvent, ...] = ()
    tripped: tuple[float, ...] = ()


async def await_shipped(pool: Pool, until: float, *, timeout: float = SHIPPED_SECONDS) -> bool:
    """True once every live gateway has shipped its log up to ``until`` (unix seconds)."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        watermark = await lowest_watermark(pool)
        if watermark is not None and watermark.timestamp() >= until:
            return True
        await asyncio.sleep(0.5)
    return False


async def read_log(pool: Pool, model: str) -> LogEvidence:
    """Everything that the report needs, in one go."""
    attempts = await pool.fetch(
        """SELECT request_id, attempt, version, shadow,
            extract(epoch FROM started_at)::float8 AS started_at
        FROM request_logs WHERE model_name = $1""",
        model,
    )
    events = await pool.fetch(
        "SELECT extract(epoch FROM at)::float8 AS at, kind, name, reason, message FROM events "
        "ORDER BY id"
    )
    trips = await pool.fetch(
        "SELECT extract(epoch FROM at)::float8 AS at FROM guard_trips WHERE model = $1", model
    )
    return LogEvidence(
        attempts=tuple(LoggedAttempt(**dict(row)) for row in attempts),
        events=tuple(LoggedEvent(**dict(row)) for row in events),
        tripped=tuple(row["at"] for row in trips),
    )


def shadowed(attempts: Sequence[LoggedAttempt], version: str) -> int:
    """How many copies the version answered."""
    return sum(row.shadow and row.version == version for row in attempts)
