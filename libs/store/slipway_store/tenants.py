"""Tenants: organisations with a priority, a fair share, a text policy and limits of their own.

A tenant is settings under a name; its keys name it. Every change is audited and told to all
gateways on the channel of the keys.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import asyncpg

from slipway_contracts.route import CHANNEL_KEYS
from slipway_store.audit import Actor, record
from slipway_store.clean import refused_values
from slipway_store.connect import Connection, Pool
from slipway_store.errors import AlreadyExists, Conflict, NotFound
from slipway_store.quotas import LimitRules

# Also a metric's label and a log's column: nothing that needs escaping.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}")
TEXT_POLICIES = ("full", "hashed", "none")
NO_LIMITS = LimitRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What can be set. ``priority``: higher is served first. ``weight``: its share under load.

    ``text_policy``: of its prompts and answers in the log; None: the gateway's own.
    """

    priority: int = 0
    weight: float = 1.0
    text_policy: str | None = None
    limits: LimitRules = NO_LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A stored tenant."""

    name: str
    settings: TenantSettings
    created_at: datetime

    def shown(self) -> dict[str, Any]:
        """For people and the audit log."""
        body = asdict(self.settings) | {"limits": self.settings.limits.stored()}
        return {"name": self.name} | body


async def create_tenant(pool: Pool, name: str, settings: TenantSettings, *, actor: Actor) -> Tenant:
    """Raises AlreadyExists, InvalidValue."""
    with refused_values():
        async with pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                """INSERT INTO tenants (name, priority, weight, text_policy, limits)
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING *""",
                *(name, *_values(settings)),
            )
            if row is None:
                raise AlreadyExists(f"there is a tenant {name} already; change it instead")
            made = _tenant(row)
            await record(connection, actor, "tenant.create", _target(name), after=made.shown())
            await _notify(connection, name)
    return made


async def change_tenant(pool: Pool, name: str, settings: TenantSettings, *, actor: Actor) -> Tenant:
    """Replace the settings. Raises NotFound, InvalidValue."""
    with refused_values():
        async with pool.acquire() as connection, connection.transaction():
            before = await _locked(connection, name)
            row = await connection.fetchrow(
                """UPDATE tenants SET priority = $2, weight = $3, text_policy = $4, limits = $5
                WHERE name = $1 RETURNING *""",
                *(name, *_values(settings)),
            )
            assert row is not None
            after = _tenant(row)
            await record(
                connection,
                actor,
                "tenant.change",
                _target(name),
                before=before.shown(),
                after=after.shown(),
            )
            await _notify(connection, name)
    return after


async def delete_tenant(pool: Pool, name: str, *, actor: Actor) -> None:
    """Raises NotFound, and Conflict while a key of it is alive."""
    async with pool.acquire() as connection, connection.transaction():
        before = await _locked(connection, name)
        living = await connection.fetchval(
            """SELECT count(*) FROM api_keys JOIN key_settings ON key_id = id
            WHERE tenant = $1 AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > clock_timestamp())""",
            name,
        )
        if living:
            raise Conflict(f"the tenant {name} has {living} living keys; revoke them first")
        await connection.execute("DELETE FROM tenants WHERE name = $1", name)
        await record(connection, actor, "tenant.delete", _target(name), before=before.shown())
        await _notify(connection, name)


async def get_tenant(pool: Pool, name: str) -> Tenant:
    """Raises NotFound."""
    row = await pool.fetchrow("SELECT * FROM tenants WHERE name = $1", name)
    if row is None:
        raise _missing(name)
    return _tenant(row)


async def list_tenants(pool: Pool) -> list[Tenant]:
    """By name."""
    return [_tenant(row) for row in await pool.fetch("SELECT * FROM tenants ORDER BY name")]


def limits_of(stored: Any) -> LimitRules:
    """From jsonb; what a newer program wrote and this one does not know is left out."""
    return LimitRules(**{name: stored[name] for name in LimitRules.__slots__ if name in stored})


async def _locked(connection: Connection, name: str) -> Tenant:
    row = await connection.fetchrow("SELECT * FROM tenants WHERE name = $1 FOR UPDATE", name)
    if row is None:
        raise _missing(name)
    return _tenant(row)


def _missing(name: str) -> NotFound:
    return NotFound(f"there is no tenant {name}; `slipway tenants list` shows them")


def _values(settings: TenantSettings) -> tuple[int, float, str | None, dict[str, int]]:
    return (
        settings.priority,
        settings.weight,
        settings.text_policy,
        settings.limits.stored(),
    )


def _tenant(row: asyncpg.Record) -> Tenant:
    return Tenant(
        name=row["name"],
        settings=TenantSettings(
            priority=row["priority"],
            weight=row["weight"],
            text_policy=row["text_policy"],
            limits=limits_of(row["limits"]),
        ),
        created_at=row["created_at"],
    )


def _target(name: str) -> str:
    return f"tenant:{name}"


async def _notify(connection: Connection, name: str) -> None:
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL_KEYS, _target(name))
