"""API keys: random, shown once, stored as a hash, scoped, expiring, revocable at once.

The secret is ``slw_<id>_<random>``: the id finds the record, the hash of the whole secret decides,
in constant time. The random part has 256 bits, so nothing can be guessed; with a server pepper the
hash is keyed (HMAC-SHA256), so that a stolen table cannot even be tested against. Records without
one (plain SHA-256) stay valid. A rotated key has two secrets until its grace is over.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import asyncpg

from slipway_contracts.route import CHANNEL_KEYS
from slipway_store.audit import SYSTEM, Actor, record
from slipway_store.clean import refused_values
from slipway_store.connect import Connection, Pool
from slipway_store.errors import Conflict, InvalidValue, NotFound
from slipway_store.quotas import LimitRules
from slipway_store.tenants import NO_LIMITS, Tenant, limits_of, list_tenants

_SECRET = re.compile(r"slw_([0-9a-f]{12})_[A-Za-z0-9_-]{20,100}")
_KEYED = "hmac:"
# By name: a later migration may add columns while this program runs.
_COLUMNS = """SELECT id, name, hash, models, created_at, expires_at, revoked_at,
        coalesce(tenant, name) AS tenant, coalesce(endpoints, '{}') AS endpoints,
        coalesce(limits, '{}') AS limits, priority, retired_hash, retired_until"""
_FROM = "FROM api_keys LEFT JOIN key_settings ON key_id = id"
_SELECT = f"{_COLUMNS}, last_used {_FROM}"


class Endpoint(StrEnum):
    """What a key can be for. Without any it reaches all of them but ``admin`` and ``on-behalf``.

    ``on-behalf`` is no route: who has it may ask for others, who are limited and charged for it.
    """

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    MODELS = "models"
    FILES = "files"
    BATCHES = "batches"
    FORWARD = "forward"
    ASK = "ask"
    FEEDBACK = "feedback"
    ADMIN = "admin"
    ON_BEHALF = "on-behalf"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is stored of a key. ``models``, ``endpoints`` empty: all. Times are aware UTC.

    ``tenant``: whose; a key that names none is its own name's. ``priority`` None: the tenant's.
    ``retired_hash`` decides, too, until ``retired_until``: the secret before a rotation.
    """

    id: str
    name: str
    hash: str
    tenant: str = ""
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    limits: LimitRules = NO_LIMITS
    priority: int | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    retired_hash: str | None = None
    retired_until: datetime | None = None
    last_used: date | None = None

    def accepts(self, secret: str, now: datetime, *, pepper: str = "") -> datetime | None:
        """Until when the secret is good, or None where it is not now. Constant time."""
        current = matches(self.hash, secret, pepper=pepper)
        retired = matches(self.retired_hash or "", secret, pepper=pepper)
        if not self.live(now):
            return None
        if current:
            return self.expires_at or _FOREVER
        if retired and self.retired_until is not None and now < self.retired_until:
            return min(self.retired_until, self.expires_at or _FOREVER)
        return None

    def matches(self, secret: str, *, pepper: str = "") -> bool:
        """Whether this is the key's current secret; constant time."""
        return matches(self.hash, secret, pepper=pepper)

    def live(self, now: datetime) -> bool:
        """Neither revoked nor expired at ``now`` (aware)."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, model: str) -> bool:
        """Whether the key is for that Model."""
        return not self.models or model in self.models

    def shown(self) -> dict[str, Any]:
        """For people and the audit log: no hash."""
        return {
            "id": self.id,
            "name": self.name,
            "tenant": self.tenant,
            "models": list(self.models),
            "endpoints": list(self.endpoints),
            "limits": self.limits.stored(),
            "priority": self.priority,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            "revoked_at": self.revoked_at and self.revoked_at.isoformat(),
            "old_secret_until": self.retired_until and self.retired_until.isoformat(),
            "last_used": self.last_used and self.last_used.isoformat(),
        }


_FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a key shall be. ``tenant`` None: the one of the key's own name."""

    name: str
    tenant: str | None = None
    models: Sequence[str] = ()
    endpoints: Sequence[Endpoint] = ()
    limits: LimitRules = NO_LIMITS
    priority: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Everything that a gateway needs to admit: living keys by id, tenants by name."""

    keys: Mapping[str, KeyRecord]
    tenants: Mapping[str, Tenant]


def hash_secret(secret: str, *, pepper: str = "") -> str:
    """Of the full secret: ``hmac:<hex>`` with a pepper, else hex SHA-256."""
    data = secret.encode("utf-8", "surrogatepass")
    if pepper:
        return _KEYED + hmac.new(pepper.encode(), data, hashlib.sha256).hexdigest()
    return hashlib.sha256(data).hexdigest()


def matches(stored: str, secret: str, *, pepper: str = "") -> bool:
    """Whether ``stored`` is the secret's hash; constant time. A keyed hash needs its pepper."""
    keyed = stored.startswith(_KEYED)
    found = hash_secret(secret, pepper=pepper if keyed else "")
    return hmac.compare_digest(stored, found)


def id_of(secret: str) -> str | None:
    """The id that a secret names, or None where it has not the form of a secret."""
    match = _SECRET.fullmatch(secret)
    return match[1] if match else None


async def create_key(
    pool: Pool,
    *,
    name: str,
    models: Sequence[str] = (),
    expires_at: datetime | None = None,
    pepper: str = "",
) -> tuple[KeyRecord, str]:
    """A key for every endpoint, as ``make_key``."""
    new = NewKey(name=name, models=models, expires_at=expires_at)
    return await make_key(pool, new, pepper=pepper)


async def make_key(
    pool: Pool, new: NewKey, *, pepper: str = "", actor: Actor = SYSTEM
) -> tuple[KeyRecord, str]:
    """A new key and its secret, which is stored nowhere.

    Raises InvalidValue for an odd name, NotFound for a tenant that is not there.
    """
    key_id = secrets.token_hex(6)
    secret = _secret(key_id)
    with refused_values():
        async with pool.acquire() as connection, connection.transaction():
            if new.tenant is not None:
                await _require_tenant(connection, new.tenant)
            await connection.execute(
                """INSERT INTO api_keys (id, name, hash, models, expires_at)
                VALUES ($1, $2, $3, $4, $5)""",
                *(key_id, new.name, hash_secret(secret, pepper=pepper)),
                *(list(new.models), new.expires_at),
            )
            await connection.execute(
                """INSERT INTO key_settings (key_id, tenant, endpoints, limits, priority)
                VALUES ($1, $2, $3, $4, $5)""",
                *(key_id, new.name if new.tenant is None else new.tenant),
                *([str(e) for e in new.endpoints], new.limits.stored(), new.priority),
            )
            made = await _one(connection, key_id)
            await record(connection, actor, "key.create", f"key:{key_id}", after=made.shown())
            await _notify(connection, key_id)
    return made, secret


async def insert_key(
    pool: Pool,
    secret: str,
    *,
    name: str,
    endpoints: Sequence[Endpoint] = (),
    priority: int | None = None,
    pepper: str = "",
) -> bool:
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
            *(key_id, name, hash_secret(secret, pepper=pepper)),
        )
        if made is None:
            return False
        await connection.execute(
            """INSERT INTO key_settings (key_id, tenant, endpoints, priority)
            VALUES ($1, $2, $3, $4)""",
            *(key_id, name, [str(endpoint) for endpoint in endpoints], priority),
        )
        stored = await _one(connection, key_id)
        await record(connection, SYSTEM, "key.insert", f"key:{key_id}", after=stored.shown())
        await _notify(connection, key_id)
    return True


async def widen_key(
    pool: Pool, key_id: str, *, before: Sequence[Endpoint], after: Sequence[Endpoint]
) -> bool:
    """Give a key more endpoints, if it has exactly ``before``: what somebody changed stays."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM api_keys WHERE id = $1 FOR UPDATE", key_id)
        made = await connection.fetchval(
            """UPDATE key_settings SET endpoints = $3
            WHERE key_id = $1 AND endpoints @> $2 AND endpoints <@ $2 RETURNING key_id""",
            *(key_id, [str(one) for one in before], [str(one) for one in after]),
        )
        if made is not None:
            shown = {"endpoints": [str(one) for one in after]}
            await record(connection, SYSTEM, "key.widen", f"key:{key_id}", after=shown)
            await _notify(connection, key_id)
    return made is not None


async def revoke_key(pool: Pool, key_id: str, *, actor: Actor = SYSTEM) -> KeyRecord:
    """Revoke by id; every gateway is told at once. Revoking twice changes nothing. NotFound."""
    async with pool.acquire() as connection, connection.transaction():
        before = await _locked(connection, key_id)
        if before.revoked_at is None:
            await connection.execute(
                "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = $1", key_id
            )
        after = await _one(connection, key_id)
        await _changed(connection, actor, "key.revoke", before, after)
    return after


async def rotate_key(
    pool: Pool, key_id: str, *, grace: timedelta, pepper: str = "", actor: Actor = SYSTEM
) -> tuple[KeyRecord, str]:
    """A new secret for the key; the one before stays good for ``grace``, any older one ends now.

    Raises NotFound, and Conflict for a key that is revoked or has expired.
    """
    secret = _secret(key_id)
    async with pool.acquire() as connection, connection.transaction():
        before = await _locked(connection, key_id)
        if not before.live(datetime.now(UTC)):
            raise Conflict(f"the key {key_id} is revoked or has expired; make a new one")
        await connection.execute(
            """INSERT INTO key_settings (key_id, tenant, retired_hash, retired_until)
            VALUES ($1, $2, $3, clock_timestamp() + $4)
            ON CONFLICT (key_id) DO UPDATE SET retired_hash = EXCLUDED.retired_hash,
                retired_until = EXCLUDED.retired_until""",
            *(key_id, before.tenant, before.hash, grace),
        )
        await connection.execute(
            "UPDATE api_keys SET hash = $2 WHERE id = $1",
            *(key_id, hash_secret(secret, pepper=pepper)),
        )
        after = await _one(connection, key_id)
        await _changed(connection, actor, "key.rotate", before, after)
    return after, secret


async def get_key(pool: Pool, key_id: str) -> KeyRecord:
    """Raises NotFound."""
    async with pool.acquire() as connection:
        return await _one(connection, key_id)


async def list_keys(pool: Pool, *, tenant: str | None = None) -> list[KeyRecord]:
    """Every key, revoked and expired ones too, oldest first; of one tenant by option."""
    rows = await pool.fetch(
        f"{_SELECT} WHERE $1::text IS NULL OR coalesce(tenant, name) = $1 ORDER BY created_at, id",
        tenant,
    )
    return [_record(row) for row in rows]


async def load_keys(pool: Pool) -> dict[str, KeyRecord]:
    """By id, the keys that were not revoked and had not expired: what a gateway keeps in memory.

    Expiry is the gateway's to check again (``KeyRecord.live``) as time goes on. Without
    ``last_used``, which would make a new set of keys every day.
    """
    rows = await pool.fetch(
        f"""{_COLUMNS}, NULL::date AS last_used {_FROM} WHERE revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > clock_timestamp())"""
    )
    return {row["id"]: _record(row) for row in rows}


async def load_directory(pool: Pool) -> Directory:
    """Living keys and all tenants."""
    keys = await load_keys(pool)
    return Directory(keys=keys, tenants={one.name: one for one in await list_tenants(pool)})


async def mark_used(pool: Pool, key_ids: Iterable[str]) -> None:
    """These keys were used today (UTC)."""
    await pool.execute(
        """INSERT INTO key_settings AS s (key_id, tenant, last_used)
        SELECT id, name, (clock_timestamp() AT TIME ZONE 'UTC')::date FROM api_keys
            WHERE id = ANY($1)
        ON CONFLICT (key_id) DO UPDATE SET last_used = EXCLUDED.last_used
            WHERE s.last_used IS DISTINCT FROM EXCLUDED.last_used""",
        sorted(key_ids),
    )


def _secret(key_id: str) -> str:
    return f"slw_{key_id}_{secrets.token_urlsafe(32)}"


async def _require_tenant(connection: Connection, name: str) -> None:
    # Held against a deletion until this key is there.
    found = await connection.fetchval("SELECT 1 FROM tenants WHERE name = $1 FOR SHARE", name)
    if found is None:
        raise NotFound(f"tenant: there is no tenant {name}; `slipway tenants create {name}` first")


async def _one(connection: Connection, key_id: str) -> KeyRecord:
    row = await connection.fetchrow(f"{_SELECT} WHERE id = $1", key_id)
    if row is None:
        raise NotFound(f"there is no key with the id {key_id}; `slipway keys list` shows them")
    return _record(row)


async def _locked(connection: Connection, key_id: str) -> KeyRecord:
    await connection.execute("SELECT 1 FROM api_keys WHERE id = $1 FOR UPDATE", key_id)
    return await _one(connection, key_id)


async def _changed(
    connection: Connection, actor: Actor, action: str, before: KeyRecord, after: KeyRecord
) -> None:
    target = f"key:{after.id}"
    await record(connection, actor, action, target, before=before.shown(), after=after.shown())
    await _notify(connection, after.id)


async def _notify(connection: Connection, key_id: str) -> None:
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL_KEYS, key_id)


def _record(row: asyncpg.Record) -> KeyRecord:
    values: dict[str, Any] = {name: row[name] for name in KeyRecord.__slots__}
    for name in ("models", "endpoints"):
        values[name] = tuple(values[name])
    return KeyRecord(**values | {"limits": limits_of(values["limits"])})
