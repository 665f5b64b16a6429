"""Usage by day, tenant, key, Model and version: what was asked and what it took.

A trigger on the attempts log counts each stored row in the transaction that stores it
(0003_tenants), into ``usage_deltas``; ``fold`` moves those to ``usage_daily``. A reader adds both,
so it sees every stored row exactly once at any moment. Copies to shadow versions are nobody's.

GPU-seconds: a version's GPUs times the seconds that it held them, shared among its users by tokens;
None where nobody has told how many GPUs the version holds (``set_gpus``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from slipway_store.connect import Connection, Pool

_LOCK = 0x51_1B_0A_73
_BY = "day, tenant, key_id, model, version"
_SUMS = "requests, cached, attempts, errors, prompt_tokens, completion_tokens"
_SUMMED = ", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS.split(", "))
_ADDED = ", ".join(f"{name} = u.{name} + EXCLUDED.{name}" for name in _SUMS.split(", "))
# A gap in the counting (nobody was there to count) is not charged beyond this.
_LONGEST_GAP_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One line. ``requests``: what was answered or failed, ``cached`` of them without asking a
    version; ``attempts``: at versions, with retries. ``day``: UTC."""

    day: date
    tenant: str
    key_id: str
    model: str
    version: str
    requests: int
    cached: int
    attempts: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    gpu_seconds: float | None


async def read_usage(
    pool: Pool, *, first: date, last: date, tenant: str | None = None, model: str | None = None
) -> list[Usage]:
    """Of the days from ``first`` to ``last``, both included; of one tenant or Model by option."""
    rows = await pool.fetch(
        f"""WITH lines AS (
            SELECT {_BY}, {_SUMMED} FROM (
                SELECT * FROM usage_daily UNION ALL SELECT * FROM usage_deltas) AS every
            WHERE day BETWEEN $1 AND $2 AND ($4::text IS NULL OR model = $4) GROUP BY {_BY}),
        shared AS (
            SELECT lines.*, gpu.seconds * (prompt_tokens + completion_tokens)
                / nullif(sum(prompt_tokens + completion_tokens)
                    OVER (PARTITION BY day, model, version), 0) AS gpu_seconds
            FROM lines LEFT JOIN gpu_daily AS gpu USING (day, model, version))
        SELECT {_BY}, {_SUMS}, gpu_seconds::float8 FROM shared
        WHERE $3::text IS NULL OR tenant = $3 ORDER BY {_BY}""",
        *(first, last, tenant, model),
    )
    return [Usage(**dict(row)) for row in rows]


async def fold(pool: Pool) -> bool:
    """Move the deltas into days and count the GPUs' time; False where another process is at it."""
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
            return False
        await connection.execute(
            f"""WITH moved AS (DELETE FROM usage_deltas RETURNING *)
            INSERT INTO usage_daily AS u ({_BY}, {_SUMS})
            SELECT {_BY}, {_SUMMED} FROM moved GROUP BY {_BY}
            ON CONFLICT ({_BY}) DO UPDATE SET {_ADDED}"""
        )
        await _count_gpus(connection, None)
    return True


async def set_gpus(pool: Pool, model: str, gpus: Mapping[str, int]) -> None:
    """The GPUs that the Model's versions hold from now on, all replicas together; a version that
    is not named holds none any more. For who runs the versions (the operator)."""
    stored = await pool.fetch("SELECT version, gpus FROM version_gpus WHERE model = $1", model)
    if {row["version"]: row["gpus"] for row in stored} == dict(gpus):
        return
    async with pool.acquire() as connection, connection.transaction():
        await _count_gpus(connection, model)
        await connection.execute(
            "DELETE FROM version_gpus WHERE model = $1 AND version <> ALL($2)", model, list(gpus)
        )
        await connection.execute(
            """INSERT INTO version_gpus AS v (model, version, gpus)
            SELECT $1, version, gpus FROM unnest($2::text[], $3::int[]) AS t (version, gpus)
            ON CONFLICT (model, version) DO UPDATE SET gpus = EXCLUDED.gpus
                WHERE v.gpus <> EXCLUDED.gpus""",
            *(model, list(gpus), list(gpus.values())),
        )


async def _count_gpus(connection: Connection, model: str | None) -> None:
    """Charge the time since they were last counted; of one Model or of all."""
    await connection.execute(
        """WITH old AS (
            SELECT model, version, counted_at FROM version_gpus
            WHERE $2::text IS NULL OR model = $2 ORDER BY 1, 2 FOR UPDATE),
        counted AS (
            UPDATE version_gpus AS v SET counted_at = clock_timestamp() FROM old
            WHERE v.model = old.model AND v.version = old.version
            RETURNING v.model, v.version, v.gpus * least($1, greatest(0,
                extract(epoch FROM v.counted_at - old.counted_at)))::float8 AS seconds)
        INSERT INTO gpu_daily AS d (day, model, version, seconds)
        SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date, model, version, seconds
        FROM counted ORDER BY 2, 3
        ON CONFLICT (day, model, version)
            DO UPDATE SET seconds = d.seconds + EXCLUDED.seconds""",
        *(_LONGEST_GAP_SECONDS, model),
    )
