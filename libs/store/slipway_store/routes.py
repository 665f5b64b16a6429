"""Routes to the gateways, their heartbeats, and the guard's trips.

One revision sequence covers all Models: a gateway that reports revision r has applied every route
that was written up to r. A lock on the table makes revisions visible in their order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from slipway_contracts.route import (
    CHANNEL_GUARD,
    CHANNEL_ROUTES,
    HEARTBEAT_EXPIRY_SECONDS,
    GuardTrip,
    Heartbeat,
    ModelRoute,
)
from slipway_store.clean import refused_values
from slipway_store.connect import Pool

# Heartbeats of gateways that will not come back (pod names change) are kept this long.
_FORGET_GATEWAY = "1 day"


async def write_route(pool: Pool, route: ModelRoute) -> int:
    """Store and notify if the body differs from what is stored. Returns the stored revision.

    Raises InvalidValue for text that PostgreSQL cannot hold (a system prompt with a NUL).
    """
    body = route.model_dump(mode="json", by_alias=True, exclude={"revision"})
    with refused_values():
        return await _write_body(pool, route.model, body)


async def _write_body(pool: Pool, model: str, body: dict[str, Any]) -> int:
    async with pool.acquire() as connection, connection.transaction():
        # Without it a later revision could be visible before an earlier one, and a gateway would
        # confirm what it has not seen.
        await connection.execute("LOCK TABLE routes IN SHARE ROW EXCLUSIVE MODE")
        revision = await connection.fetchval(
            """INSERT INTO routes (model, revision, body)
            VALUES ($1, nextval('routes_revisions'), $2)
            ON CONFLICT (model) DO UPDATE SET revision = EXCLUDED.revision, body = EXCLUDED.body,
                written_at = clock_timestamp()
            WHERE routes.body IS DISTINCT FROM EXCLUDED.body RETURNING revision""",
            *(model, body),
        )
        if revision is None:
            stored = await connection.fetchval(
                "SELECT revision FROM routes WHERE model = $1", model
            )
            return int(stored)
        await connection.execute("SELECT pg_notify($1, $2)", CHANNEL_ROUTES, str(revision))
        return int(revision)


async def delete_route(pool: Pool, model: str) -> bool:
    """Take the Model's route away and notify. False when there was none."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE routes IN SHARE ROW EXCLUSIVE MODE")
        deleted = await connection.fetchval(
            "DELETE FROM routes WHERE model = $1 RETURNING revision", model
        )
        if deleted is not None:
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL_ROUTES, str(deleted))
        return deleted is not None


async def read_routes(pool: Pool) -> list[ModelRoute]:
    """Every Model's route with its revision, by name; one consistent view."""
    rows = await pool.fetch("SELECT body, revision FROM routes ORDER BY model")
    return [ModelRoute.model_validate(row["body"] | {"revision": row["revision"]}) for row in rows]


async def read_route(pool: Pool, model: str) -> ModelRoute | None:
    """One Model's route, or None."""
    row = await pool.fetchrow("SELECT body, revision FROM routes WHERE model = $1", model)
    if row is None:
        return None
    return ModelRoute.model_validate(row["body"] | {"revision": row["revision"]})


async def heartbeat(pool: Pool, beat: Heartbeat) -> int:
    """Write the gateway's row; returns how many gateways live, this one too. The time of the row is
    the server's, so that clocks of gateways need not agree; ``beat.at`` is for the sender's own
    use.
    """
    others: int = await pool.fetchval(
        f"""WITH forgotten AS (
            DELETE FROM gateways WHERE at < clock_timestamp() - interval '{_FORGET_GATEWAY}'
                AND gateway <> $1)
        INSERT INTO gateways (gateway, revision, watermark, in_flight, at)
        VALUES ($1, $2, $3, $4, clock_timestamp())
        ON CONFLICT (gateway) DO UPDATE SET revision = EXCLUDED.revision,
            watermark = EXCLUDED.watermark, in_flight = EXCLUDED.in_flight, at = EXCLUDED.at
        RETURNING (SELECT count(*) FROM gateways AS other WHERE other.gateway <> $1
            AND other.at > clock_timestamp() - make_interval(secs => $5))""",
        *(beat.gateway, beat.revision, beat.watermark, beat.in_flight),
        HEARTBEAT_EXPIRY_SECONDS,
    )
    return others + 1


async def remove_heartbeat(pool: Pool, gateway: str) -> None:
    """A gateway that has shipped everything and ends; nobody waits for its expiry."""
    await pool.execute("DELETE FROM gateways WHERE gateway = $1", gateway)


async def live_heartbeats(pool: Pool) -> list[Heartbeat]:
    """Of the gateways that were heard within the last 10 s, by name."""
    rows = await pool.fetch(
        """SELECT gateway, revision, watermark, in_flight, at FROM gateways
        WHERE at > clock_timestamp() - make_interval(secs => $1) ORDER BY gateway""",
        HEARTBEAT_EXPIRY_SECONDS,
    )
    return [Heartbeat.model_validate(dict(row)) for row in rows]


async def lowest_watermark(pool: Pool) -> datetime | None:
    """Until when every live gateway has shipped its log; None with no live gateway."""
    watermark: datetime | None = await pool.fetchval(
        """SELECT min(watermark) FROM gateways
        WHERE at > clock_timestamp() - make_interval(secs => $1)""",
        HEARTBEAT_EXPIRY_SECONDS,
    )
    return watermark


async def trip_guard(pool: Pool, trip: GuardTrip) -> None:
    """Record that a gateway's guard stopped a candidate, and notify. A repeat changes nothing."""
    async with pool.acquire() as connection, connection.transaction():
        added = await connection.fetchval(
            """INSERT INTO guard_trips
                (model, rollout_id, gateway, candidate_requests, candidate_bad, at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true""",
            *(trip.model, trip.rollout_id, trip.gateway),
            *(trip.candidate_requests, trip.candidate_bad, trip.at),
        )
        if added:
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL_GUARD, trip.model)


async def guard_trips(pool: Pool, model: str, rollout_id: str) -> list[GuardTrip]:
    """The trips of one rollout, oldest first."""
    rows = await pool.fetch(
        """SELECT model, rollout_id, gateway, candidate_requests, candidate_bad, at
        FROM guard_trips WHERE model = $1 AND rollout_id = $2 ORDER BY at, gateway""",
        *(model, rollout_id),
    )
    return [GuardTrip.model_validate(dict(row)) for row in rows]
