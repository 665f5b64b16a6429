"""Quotas that all gateways share: leased in chunks, so that no request waits for PostgreSQL.

A window (a UTC minute or day, by PostgreSQL's clock) has one row for each scope and quota: what was
leased or spent of it. ``settle`` books what gateways spent beyond their leases, takes back what
they do not need and grants at most a fair share of what is free, so that the last piece of a
quota is cut ever smaller. What was spent over a limit is taken off the next window (one window's
worth at most). Leases that outlive a minute (day quotas, concurrency) are held by name and come
back when their gateway is silent for ``LEASE_SECONDS``. The arithmetic is the SQL function
``settle_quotas`` (0003_tenants).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slipway_store.connect import Pool

LEASE_SECONDS = 15.0


class Quota(StrEnum):
    """What can be limited; the values are the names of the limits everywhere."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    TOKENS_PER_DAY = "tokens_per_day"
    CONCURRENCY = "concurrency"

    @property
    def seconds(self) -> int:
        """Length of its window; 0: none, it counts what is open now."""
        return _SECONDS[self]


_SECONDS = {
    Quota.REQUESTS_PER_MINUTE: 60,
    Quota.TOKENS_PER_MINUTE: 60,
    Quota.TOKENS_PER_DAY: 86_400,
    Quota.CONCURRENCY: 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRules:
    """The limits of one key or tenant; None: not limited."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    concurrency: int | None = None

    def of(self, quota: Quota) -> int | None:
        """The limit of one quota."""
        limit: int | None = getattr(self, quota.value)
        return limit

    def stored(self) -> dict[str, int]:
        """For jsonb: only what is limited."""
        return {quota.value: limit for quota in Quota if (limit := self.of(quota)) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a gateway tells and asks of one quota.

    ``charge``: spent beyond its leases; negative: given back. ``held``: leased and not spent, as
    the gateway sees it now. ``need``: it is refusing calls of this size. ``want``: it would like so
    much more. For concurrency ``held`` is what is in use, ``want`` the slots that it would like.
    """

    scope: str
    quota: Quota
    window: int
    limit: int
    charge: int = 0
    held: int = 0
    need: int = 0
    want: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The answer to one wish. ``free``: what nobody holds now (below 0: overspent).

    For concurrency ``granted`` is the number of slots that the gateway holds from now on.
    """

    scope: str
    quota: Quota
    window: int
    granted: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The state of the world: how many gateways live, the server's clock (unix seconds), and what
    was used, by (scope, quota, window), of what changed lately."""

    peers: int
    clock: float
    used: dict[tuple[str, str, int], int]


async def settle(pool: Pool, gateway: str, wishes: Sequence[Wish]) -> list[Grant]:
    """One transaction for all wishes; in one order everywhere, so that gateways never deadlock."""
    rows = await pool.fetch(
        "SELECT * FROM settle_quotas($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        gateway,
        LEASE_SECONDS,
        [wish.scope for wish in wishes],
        [wish.quota.value for wish in wishes],
        [wish.window for wish in wishes],
        [wish.limit for wish in wishes],
        [wish.charge for wish in wishes],
        [wish.held for wish in wishes],
        [wish.need for wish in wishes],
        [wish.want for wish in wishes],
    )
    return [
        Grant(
            scope=row["scope"],
            quota=Quota(row["quota"]),
            window=row["window_no"],
            granted=row["granted"],
            free=row["free"],
        )
        for row in rows
    ]


async def look(pool: Pool, *, seconds: float) -> Sight:
    """What changed in the last ``seconds``."""
    rows = await pool.fetch(
        """SELECT scope, quota, window_no, used, n, clock FROM
            (SELECT greatest(1, count(*)) AS n,
                    extract(epoch FROM clock_timestamp())::float8 AS clock
                FROM gateways WHERE at > clock_timestamp() - interval '10 s') AS world
            LEFT JOIN quota_windows ON touched > clock_timestamp() - make_interval(secs => $1)""",
        seconds,
    )
    return Sight(
        peers=rows[0]["n"],
        clock=rows[0]["clock"],
        used={
            (row["scope"], row["quota"], row["window_no"]): row["used"]
            for row in rows
            if row["scope"] is not None
        },
    )


async def forget_windows(pool: Pool) -> None:
    """Drop what is left of windows that are over; any process, now and then."""
    await pool.execute(
        """DELETE FROM quota_windows WHERE window_no > 0 AND touched < clock_timestamp()
            - CASE quota WHEN 'tokens_per_day' THEN interval '3 days' ELSE interval '10 min' END"""
    )
    await pool.execute(
        """DELETE FROM quota_leases WHERE quota = 'tokens_per_day'
            AND expires_at < clock_timestamp() - interval '3 days'"""
    )
