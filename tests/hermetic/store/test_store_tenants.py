"""Tenants, scoped and rotated keys, the audit log, and programs of before the migration."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from slipway_contracts.route import CHANNEL_KEYS
from slipway_store.audit import Actor, list_audit
from slipway_store.connect import Listener, Pool, open_pool
from slipway_store.errors import AlreadyExists, Conflict, NotFound
from slipway_store.keys import (
    Endpoint,
    NewKey,
    create_key,
    get_key,
    list_keys,
    load_directory,
    load_keys,
    make_key,
    mark_used,
    revoke_key,
    rotate_key,
)
from slipway_store.migrate import migrate, migrate_down
from slipway_store.quotas import LimitRules
from slipway_store.tenants import (
    TenantSettings,
    change_tenant,
    create_tenant,
    delete_tenant,
    get_tenant,
    list_tenants,
)

ACTOR = Actor(name="cli:tester", request_id="r1")
FULL = TenantSettings(
    priority=2,
    weight=0.5,
    text_policy="none",
    limits=LimitRules(requests_per_minute=10, concurrency=3),
)


async def test_a_tenant_is_kept_as_it_was_given(pool: Pool) -> None:
    made = await create_tenant(pool, "acme", FULL, actor=ACTOR)
    assert made.settings == FULL
    assert await get_tenant(pool, "acme") == made
    with pytest.raises(AlreadyExists, match="acme"):
        await create_tenant(pool, "acme", FULL, actor=ACTOR)
    changed = await change_tenant(pool, "acme", TenantSettings(), actor=ACTOR)
    assert changed.settings == TenantSettings()
    assert await list_tenants(pool) == [changed]
    await delete_tenant(pool, "acme", actor=ACTOR)
    for work in (get_tenant(pool, "acme"), delete_tenant(pool, "acme", actor=ACTOR)):
        with pytest.raises(NotFound, match="slipway tenants list"):
            await work


async def test_a_key_of_a_tenant(pool: Pool) -> None:
    with pytest.raises(NotFound, match="tenant: there is no tenant acme"):
        await make_key(pool, NewKey(name="k", tenant="acme"))
    assert await list_keys(pool) == []
    await create_tenant(pool, "acme", FULL, actor=ACTOR)
    new = NewKey(
        name="k",
        tenant="acme",
        models=["m"],
        endpoints=[Endpoint.CHAT],
        limits=LimitRules(tokens_per_day=5),
        priority=-3,
    )
    record, _ = await make_key(pool, new, actor=ACTOR)
    directory = await load_directory(pool)
    assert directory.keys[record.id] == record == await get_key(pool, record.id)
    assert directory.tenants["acme"].settings == FULL
    assert (record.tenant, record.endpoints, record.priority) == ("acme", ("chat",), -3)
    await create_key(pool, name="other")
    assert [key.id for key in await list_keys(pool, tenant="acme")] == [record.id]
    with pytest.raises(Conflict, match="1 living keys"):
        await delete_tenant(pool, "acme", actor=ACTOR)
    await revoke_key(pool, record.id)
    await delete_tenant(pool, "acme", actor=ACTOR)


async def test_a_tenant_does_not_go_while_it_gets_a_key(pool: Pool) -> None:
    for number in range(10):
        name = f"t{number}"
        await create_tenant(pool, name, TenantSettings(), actor=ACTOR)
        made, gone = await asyncio.gather(
            make_key(pool, NewKey(name="k", tenant=name)),
            delete_tenant(pool, name, actor=ACTOR),
            return_exceptions=True,
        )
        assert isinstance(made, NotFound) != isinstance(gone, Conflict)


async def test_rotation_keeps_the_key_and_one_old_secret(pool: Pool) -> None:
    record, first = await make_key(pool, NewKey(name="k", models=["m"]))
    grace = timedelta(minutes=5)
    _, second = await rotate_key(pool, record.id, grace=grace, pepper="pepper")
    now = datetime.now(UTC)
    stored = (await load_keys(pool))[record.id]
    assert stored.models == ("m",)
    assert stored.accepts(second, now, pepper="pepper")
    assert not stored.accepts(second, now)
    until = stored.accepts(first, now, pepper="pepper")
    assert until is not None
    assert timedelta(minutes=4) < until - now < timedelta(minutes=6)
    _, third = await rotate_key(pool, record.id, grace=grace, pepper="pepper")
    stored = (await load_keys(pool))[record.id]
    good = [bool(stored.accepts(s, now, pepper="pepper")) for s in (first, second, third)]
    assert good == [False, True, True]
    assert not stored.accepts(second, now + timedelta(minutes=6), pepper="pepper")
    await revoke_key(pool, record.id)
    with pytest.raises(Conflict, match="revoked"):
        await rotate_key(pool, record.id, grace=grace)
    with pytest.raises(NotFound):
        await rotate_key(pool, "ffffffffffff", grace=grace)
    secrets = "|".join(secret.split("_", 2)[2] for secret in (first, second, third))
    for table in ("api_keys", "key_settings", "audit_log"):
        assert not await pool.fetch(f"SELECT 1 FROM {table} AS t WHERE t::text ~ $1", secrets)


async def test_every_change_is_audited_with_its_transaction(pool: Pool) -> None:
    await create_tenant(pool, "acme", FULL, actor=ACTOR)
    await change_tenant(pool, "acme", TenantSettings(), actor=ACTOR)
    record, _ = await make_key(pool, NewKey(name="k", tenant="acme"), actor=ACTOR)
    await rotate_key(pool, record.id, grace=timedelta(0), actor=ACTOR)
    await revoke_key(pool, record.id, actor=ACTOR)
    await delete_tenant(pool, "acme", actor=ACTOR)
    with pytest.raises(NotFound):
        await delete_tenant(pool, "acme", actor=ACTOR)
    entries = await list_audit(pool)
    assert [entry.action for entry in reversed(entries)] == [
        "tenant.create", "tenant.change", "key.create", "key.rotate", "key.revoke", "tenant.delete",
    ]  # fmt: skip
    assert {(entry.actor, entry.request_id) for entry in entries} == {("cli:tester", "r1")}
    changed = entries[-2]
    assert changed.before is not None
    assert changed.after is not None
    assert changed.before["limits"] == {"requests_per_minute": 10, "concurrency": 3}
    assert changed.after["limits"] == {}
    assert "hash" not in str([entry.after for entry in entries]).replace("hashed", "")
    only = await list_audit(pool, target=f"key:{record.id}", limit=2)
    assert [entry.action for entry in only] == ["key.revoke", "key.rotate"]
    (older,) = await list_audit(pool, target=f"key:{record.id}", before_id=only[-1].id)
    assert older.action == "key.create"


async def test_gateways_are_told_of_each_change(pool: Pool, dsn: str) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    connected = asyncio.Event()
    async with Listener(
        dsn, [CHANNEL_KEYS], lambda _, payload: told.put_nowait(payload), on_connect=connected.set
    ):
        await connected.wait()
        await create_tenant(pool, "acme", FULL, actor=ACTOR)
        await change_tenant(pool, "acme", TenantSettings(), actor=ACTOR)
        record, _ = await make_key(pool, NewKey(name="k"))
        await rotate_key(pool, record.id, grace=timedelta(0))
        await delete_tenant(pool, "acme", actor=ACTOR)
        async with asyncio.timeout(20):
            got = [await told.get() for _ in range(5)]
    assert got == ["tenant:acme", "tenant:acme", record.id, record.id, "tenant:acme"]


async def test_the_day_of_the_last_use(pool: Pool) -> None:
    record, _ = await make_key(pool, NewKey(name="k"))
    await pool.execute("INSERT INTO api_keys (id, name, hash) VALUES ('old', 'old', 'h')")
    await mark_used(pool, [record.id, "old", "gone"])
    today = await pool.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    assert {key.id: key.last_used for key in await list_keys(pool)} == {
        record.id: today,
        "old": today,
    }
    assert {key.last_used for key in (await load_keys(pool)).values()} == {None}


async def test_a_gateway_of_before_still_reads_what_a_new_one_writes(pool: Pool) -> None:
    record, secret = await make_key(pool, NewKey(name="k", endpoints=[Endpoint.CHAT]))
    # Exactly the fields that the first gateway's record has: it reads them with SELECT *.
    row = await pool.fetchrow("SELECT * FROM api_keys WHERE id = $1", record.id)
    assert row is not None
    assert set(row.keys()) == {
        "id", "name", "hash", "models", "created_at", "expires_at", "revoked_at",
    }  # fmt: skip
    assert record.matches(secret)


async def test_what_an_old_gateway_wrote_is_read(empty_dsn: str) -> None:
    await migrate(empty_dsn, to=2)
    old = await asyncpg.connect(empty_dsn)
    await old.execute("INSERT INTO api_keys (id, name, hash) VALUES ('a', 'team', 'h')")
    await migrate(empty_dsn)
    await old.execute("INSERT INTO api_keys (id, name, hash) VALUES ('b', 'later', 'h')")
    await old.close()
    opened = await open_pool(empty_dsn, max_size=1)
    try:
        assert {k: r.tenant for k, r in (await load_keys(opened)).items()} == {
            "a": "team",
            "b": "later",
        }
        await revoke_key(opened, "b")
    finally:
        await opened.close()
    assert await migrate_down(empty_dsn, to=2) == 2
    assert await migrate(empty_dsn) > 2
