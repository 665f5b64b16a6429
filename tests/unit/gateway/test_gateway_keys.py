"""Admission: keys by hash, scopes, expiry, what holds without PostgreSQL, and loopback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slipway_gateway.errors import Forbidden, NoCapacity, Unauthenticated
from slipway_gateway.tenants.keys import Caller, Keys, is_loopback
from slipway_store.keys import KeyRecord, hash_secret

SECRET = "slw_0123456789ab_" + "x" * 43
NOW = datetime.now(UTC)


def record(secret=SECRET, **fields):
    base = {"id": secret.split("_")[1], "name": "team", "hash": hash_secret(secret)}
    return KeyRecord(**base | {"created_at": NOW} | fields)


def keys(*records, loopback=False, ttl=60.0, now=0.0):
    known = Keys(keyless_loopback=loopback, ttl=ttl)
    known.replace({r.id: r for r in records}, now)
    return known


def test_a_known_key_is_admitted_with_its_scope():
    caller = keys(record(models=("demo",))).admit(f"Bearer {SECRET}", "10.0.0.1", 1.0)
    assert (caller.key_id, caller.tenant) == ("0123456789ab", "team")
    caller.check("demo")
    with pytest.raises(Forbidden, match="other"):
        caller.check("other")
    assert Caller(identity="x").may_use("anything")


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", "Basic abc", f"Bearer {SECRET[:-1]}", f"Bearer {SECRET}x",
        "Bearer slw_x",
        f"Bearer {SECRET[:17]}{'y' * 43}", "Bearer slw_ffffffffffff_" + "x" * 43,
        "Bearer ' OR 1=1", f"Token {SECRET}",
    ],
)  # fmt: skip
def test_anything_else_is_not(header):
    with pytest.raises(Unauthenticated):
        keys(record()).admit(header, "127.0.0.1", 1.0)


@pytest.mark.parametrize(
    "fields",
    [{"expires_at": NOW - timedelta(seconds=1)}, {"revoked_at": NOW}],
    ids=["expired", "revoked"],
)
def test_a_dead_key(fields):
    with pytest.raises(Unauthenticated):
        keys(record(**fields)).admit(f"Bearer {SECRET}", "127.0.0.1", 1.0)


def test_a_wrong_key_is_refused_even_where_none_is_needed():
    known = keys(record(), loopback=True)
    assert known.admit(None, "127.0.0.1", 1.0).identity == "addr:127.0.0.1"
    with pytest.raises(Unauthenticated):
        known.admit("Bearer slw_wrong", "127.0.0.1", 1.0)
    assert known.admit("Bearer none", "127.0.0.1", 1.0).key_id == ""
    with pytest.raises(Unauthenticated):
        known.admit(None, "10.0.0.1", 1.0)


def test_known_keys_hold_for_their_time_without_postgresql():
    known = keys(record(), ttl=60, now=100)
    assert known.admit(f"Bearer {SECRET}", "10.0.0.1", 159)
    with pytest.raises(NoCapacity):
        known.admit(f"Bearer {SECRET}", "10.0.0.1", 161)
    known.confirm(161)
    assert known.admit(f"Bearer {SECRET}", "10.0.0.1", 161)


def test_before_the_first_load_a_key_is_not_wrong_but_unknown():
    with pytest.raises(NoCapacity):
        Keys(keyless_loopback=True, ttl=60).admit(f"Bearer {SECRET}", "10.0.0.1", 1.0)


def test_the_copy_holds_hashes_and_keeps_its_age():
    original = keys(record(models=("demo",), expires_at=NOW + timedelta(days=1)))
    copy = original.dump()
    assert SECRET not in repr(copy)
    import orjson

    restored = Keys(keyless_loopback=False, ttl=60)
    assert restored.restore(orjson.loads(orjson.dumps(copy)), 1000, age=50)
    assert restored.admit(f"Bearer {SECRET}", "10.0.0.1", 1009).models == ("demo",)
    with pytest.raises(NoCapacity):
        restored.admit(f"Bearer {SECRET}", "10.0.0.1", 1011)


@pytest.mark.parametrize("copy", [None, [3], [{}], "x", [{"id": 1, "models": 3}]])
def test_a_broken_copy_is_left(copy):
    assert not Keys(keyless_loopback=False, ttl=60).restore(copy, 0, age=0)


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("", False), ("localhost", False)],
)  # fmt: skip
def test_loopback(address, local):
    assert is_loopback(address) == local
