"""Measurements: each judgement that a rollout was decided on, kept in PostgreSQL, not in status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from slipway_store.clean import clean
from slipway_store.connect import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One judgement. ``attempt`` is the version's attempt id; ``body`` the figures, as JSON."""

    model: str
    version: str
    attempt: str
    step: int
    at: datetime
    verdict: str
    body: Mapping[str, Any]


async def record(
    pool: Pool,
    *,
    model: str,
    version: str,
    attempt: str,
    step: int,
    at: datetime,
    verdict: str,
    body: Mapping[str, Any],
) -> None:
    """Store one; the same step and time again changes nothing. Infinities become text."""
    await pool.execute(
        """INSERT INTO measurements (model, version, attempt, step, at, verdict, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING""",
        *(model, version, attempt, step, at, verdict, _finite(body)),
    )


async def latest(pool: Pool, model: str, version: str) -> Measurement | None:
    """The newest measurement of the version, or None."""
    found = await history(pool, model, version, limit=1)
    return found[0] if found else None


async def history(pool: Pool, model: str, version: str, *, limit: int = 100) -> list[Measurement]:
    """The newest ``limit`` measurements, newest first."""
    rows = await pool.fetch(
        """SELECT model, version, attempt, step, at, verdict, body FROM measurements
        WHERE model = $1 AND version = $2 ORDER BY at DESC LIMIT $3""",
        *(model, version, limit),
    )
    return [_measurement(row) for row in rows]


def _measurement(row: asyncpg.Record) -> Measurement:
    return Measurement(**dict(row))


def _finite(value: Any) -> Any:
    """JSON has no infinities and no NaN; as text they survive for the reader."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case str():
            return clean(value)
        case _:
            return value
