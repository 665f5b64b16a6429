"""API keys: random, shown once, stored as a hash, scoped, expiring, revocable at once.

The secret is ``slw_<id>_<random>``: the id finds the record, the hash of the whole secret decides.
The random part has 256 bits, so a plain SHA-256 is enough (nothing to guess); keys are compared in
constant time and never by prefix.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from slipway_contracts.route import CHANNEL_KEYS
from slipway_store.clean import refused_values
from slipway_store.connect import Connection, Pool
from slipway_store.errors import InvalidValue, NotFound

_SECRET = re.compile(r"slw_([0-9a-f]{12})_[A-Za-z0-9_-]{20,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is stored of a key. ``models`` empty: every Model. Times are aware UTC."""

    id: str
    name: str
    hash: str
    models: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def matches(self, secret: str) -> bool:
        """Whether this is the key's secret; constant time."""
        return hmac.compare_digest(self.hash, hash_secret(secret))

    def live(self, now: datetime) -> bool:
        """Neither revoked nor expired at ``now`` (aware)."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, model: str) -> bool:
        """Whether the key is for that Model."""
        return not self.models or model in self.models


def hash_secret(secret: str) -> str:
    """Hex SHA-256 of the full secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def id_of(secret: str) -> str | None:
    """The id that a secret names, or None where it has not the form of a secret."""
    match = _SECRET.fullmatch(secret)
    return match[1] if match else None


async def create_key(
    pool: Pool, *, name: str, models: Sequence[str] = (), expires_at: datetime | None = None
) -> tuple[KeyRecord, str]:
    """A new key and its secret, which is stored nowhere. Raises InvalidValue for an odd name."""
    secret = f"slw_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
    with refused_values():
        async with pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                """INSERT INTO api_keys (id, name, hash, models, expires_at)
                VALUES ($1, $2, $3, $4, $5) RETURNING *""",
                *(id_of(secret), name, hash_secret(secret), list(models), expires_at),
            )
            assert row is not None
            await _notify(connection, row["id"])
    return _record(row), secret


async def insert_key(pool: Pool, secret: str, *, name: str) -> bool:
    """Store a secret that was made elsewhere, for every Model; False where its id is known already.

    A revoked key stays revoked. Raises InvalidValue for what has not the form of a secret.
    """
    key_id = id_of(secret)
    if key_id is None:
        raise InvalidValue(f"the key {name} is not of the form slw_<12 hex digits>_<random>")
    async with pool.acquire() as connection, connection.transaction():
        made = await connection.fetchval(
            """INSERT INTO api_keys (id, name, hash, models) VALUES ($1, $2, $3, '{}')
            ON CONFLICT (id) DO NOTHING RETURNING id""",
            *(key_id, name, hash_secret(secret)),
        )
        if made is not None:
            await _notify(connection, key_id)
    return made is not None


async def revoke_key(pool: Pool, key_id: str) -> KeyRecord:
    """Revoke by id; every gateway is told at once. Revoking twice changes nothing. NotFound."""
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            """UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp())
            WHERE id = $1 RETURNING *""",
            key_id,
        )
        if row is None:
            raise NotFound(f"there is no key with the id {key_id}; `slipway keys list` shows them")
        await _notify(connection, row["id"])
    return _record(row)


async def list_keys(pool: Pool) -> list[KeyRecord]:
    """Every key, revoked and expired ones too, oldest first."""
    rows = await pool.fetch("SELECT * FROM api_keys ORDER BY created_at, id")
    return [_record(row) for row in rows]


async def load_keys(pool: Pool) -> dict[str, KeyRecord]:
    """By id, the keys that were not revoked and had not expired: what a gateway keeps in memory.

    Expiry is the gateway's to check again (``KeyRecord.live``) as time goes on.
    """
    rows = await pool.fetch(
        """SELECT * FROM api_keys WHERE revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > clock_timestamp())"""
    )
    return {row["id"]: _record(row) for row in rows}


async def _notify(connection: Connection, key_id: str) -> None:
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL_KEYS, key_id)


def _record(row: asyncpg.Record) -> KeyRecord:
    values: dict[str, Any] = dict(row)
    return KeyRecord(**values | {"models": tuple(values["models"])})
