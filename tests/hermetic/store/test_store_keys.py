"""API keys in PostgreSQL: shown once, stored hashed, found by id, revoked at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from slipway_contracts.route import CHANNEL_KEYS
from slipway_store.connect import Listener, Pool
from slipway_store.errors import InvalidValue, NotFound
from slipway_store.keys import create_key, id_of, insert_key, list_keys, load_keys, revoke_key


async def test_secret_is_nowhere_in_the_database(pool: Pool) -> None:
    record, secret = await create_key(pool, name="ci", models=["tiny"])
    dump = str(await pool.fetch("SELECT * FROM api_keys"))
    assert secret not in dump
    assert secret.split("_", 2)[2] not in dump
    assert id_of(secret) == record.id
    stored = (await load_keys(pool))[record.id]
    assert stored.matches(secret)
    assert not stored.matches(secret[:-1])
    assert not stored.matches(secret + "x")
    assert stored.allows("tiny")
    assert not stored.allows("other")


async def test_a_key_without_models_is_for_all(pool: Pool) -> None:
    record, _ = await create_key(pool, name="all")
    assert record.allows("anything")


@pytest.mark.parametrize(
    "text", ["", "slw_", "slw_0123456789ab_", "Bearer x", "slw_xyz_" + "a" * 43]
)
def test_what_is_no_secret_has_no_id(text: str) -> None:
    assert id_of(text) is None


async def test_revoked_and_expired_keys_are_not_loaded(pool: Pool) -> None:
    now = datetime.now(UTC)
    live, _ = await create_key(pool, name="live", expires_at=now + timedelta(hours=1))
    expired, _ = await create_key(pool, name="expired", expires_at=now - timedelta(seconds=1))
    revoked, _ = await create_key(pool, name="revoked")
    first = await revoke_key(pool, revoked.id)
    again = await revoke_key(pool, revoked.id)
    assert first.revoked_at == again.revoked_at is not None
    assert set(await load_keys(pool)) == {live.id}
    assert [key.id for key in await list_keys(pool)] == [live.id, expired.id, revoked.id]
    assert live.live(now)
    assert not live.live(now + timedelta(hours=1))
    assert not first.live(now)


async def test_a_key_made_elsewhere_is_stored_once_and_stays_revoked(pool: Pool) -> None:
    secret = "slw_0123456789ab_" + "x" * 43
    made = await asyncio.gather(*(insert_key(pool, secret, name="first") for _ in range(4)))
    assert sorted(made) == [False, False, False, True]
    (record,) = (await load_keys(pool)).values()
    assert (record.id, record.name, record.models) == ("0123456789ab", "first", ())
    assert record.matches(secret)
    await revoke_key(pool, record.id)
    assert not await insert_key(pool, secret, name="first")
    assert await load_keys(pool) == {}


async def test_what_is_no_secret_is_not_stored(pool: Pool) -> None:
    with pytest.raises(InvalidValue, match="slw_<12 hex digits>"):
        await insert_key(pool, "password", name="first")


async def test_unknown_key_is_an_error(pool: Pool) -> None:
    with pytest.raises(NotFound, match="slipway keys list"):
        await revoke_key(pool, "nope")


async def test_changes_are_notified(pool: Pool, dsn: str) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    ready = asyncio.Event()
    async with Listener(
        dsn, [CHANNEL_KEYS], lambda _, payload: told.put_nowait(payload), on_connect=ready.set
    ):
        await asyncio.wait_for(ready.wait(), 20)
        record, _ = await create_key(pool, name="n")
        assert await asyncio.wait_for(told.get(), 20) == record.id
        await revoke_key(pool, record.id)
        assert await asyncio.wait_for(told.get(), 20) == record.id
