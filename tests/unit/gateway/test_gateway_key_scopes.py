"""What keys gained with tenants: keyed hashes, grace, endpoint scopes, what is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_gateway.app import create_app
from slipway_gateway.errors import EndpointForbidden, Unauthenticated
from slipway_gateway.settings import Settings
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.endpoints import endpoint_of
from slipway_gateway.tenants.keys import REMEMBERED, Keys
from slipway_store.keys import Endpoint, KeyRecord, hash_secret
from slipway_store.quotas import LimitRules
from slipway_store.tenants import Tenant, TenantSettings

SECRET = "slw_0123456789ab_" + "x" * 43
OLD = "slw_0123456789ab_" + "o" * 43
PEPPER = "pepper"
NOW = datetime.now(UTC)
OPEN = {
    "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json",
    "/health", "/ready", "/metrics", "/metrics/prometheus",
}  # fmt: skip


def record(**fields: Any) -> KeyRecord:
    base = {"id": "0123456789ab", "name": "team", "hash": hash_secret(SECRET), "created_at": NOW}
    return KeyRecord(**base | fields)


def keys(*records: KeyRecord, tenants: Any = None, pepper: str = "") -> Keys:
    known = Keys(keyless_loopback=False, ttl=60, pepper=pepper)
    known.replace({r.id: r for r in records}, 0.0, tenants=tenants)
    return known


def admits(known: Keys, secret: str = SECRET, now: float = 1.0) -> bool:
    try:
        known.admit(f"Bearer {secret}", "10.0.0.1", now)
    except Unauthenticated:
        return False
    return True


def test_a_keyed_hash_needs_the_pepper() -> None:
    keyed = hash_secret(SECRET, pepper=PEPPER)
    assert keyed.startswith("hmac:")
    assert keyed != hash_secret(SECRET, pepper="another")
    assert admits(keys(record(hash=keyed), pepper=PEPPER))
    assert not admits(keys(record(hash=keyed), pepper="another"))
    assert not admits(keys(record(hash=keyed)))


def test_records_of_before_the_pepper_stay_valid() -> None:
    assert admits(keys(record(), pepper=PEPPER))
    # A keyed hash is not taken for a plain one of a chosen secret, nor the other way round.
    assert not admits(keys(record(hash="hmac:" + hash_secret(SECRET)), pepper=PEPPER))
    assert not admits(keys(record(hash=""), pepper=PEPPER))


@pytest.mark.parametrize(
    ("until", "good"), [(timedelta(seconds=30), True), (timedelta(seconds=-1), False)]
)
def test_the_old_secret_is_good_for_the_grace(until: timedelta, good: bool) -> None:
    ends = datetime.now(UTC) + until
    known = keys(record(retired_hash=hash_secret(OLD), retired_until=ends))
    assert admits(known)
    assert admits(known, OLD) == good
    # Remembered no longer than it is good for.
    if good:
        assert admits(known, OLD, now=25.0)
        (_, remembered, _) = known._verified[f"Bearer {OLD}"]
        assert remembered < 32


def test_revoking_ends_the_old_secret_too() -> None:
    fields = {"retired_hash": hash_secret(OLD), "retired_until": NOW + timedelta(hours=1)}
    assert not admits(keys(record(revoked_at=NOW, **fields)), OLD)


def test_what_was_verified_is_forgotten_with_any_change() -> None:
    known = keys(record())
    caller = known.admit(f"Bearer {SECRET}", "10.0.0.1", 1.0)
    assert known.admit(f"Bearer {SECRET}", "10.0.0.1", 2.0) is caller
    assert not known.replace({record().id: record()}, 3.0)
    assert known.admit(f"Bearer {SECRET}", "10.0.0.1", 3.0) is caller
    assert known.replace({}, 4.0)
    assert not admits(known, now=4.0)


def test_no_more_is_remembered_than_fits() -> None:
    known = keys(record())
    for spaces in range(1, REMEMBERED + 10):
        known.admit("Bearer" + " " * spaces + SECRET, "10.0.0.1", 1.0)
    assert len(known._verified) <= REMEMBERED


def test_secrets_are_in_no_dump() -> None:
    known = keys(record(), tenants={})
    known.admit(f"Bearer {SECRET}", "10.0.0.1", 1.0)
    assert SECRET not in repr(known.dump())
    assert SECRET not in repr(known)


def test_a_key_used_today_is_told_once() -> None:
    known = keys(record())
    for _ in range(3):
        admits(known)
    assert known.used == {"0123456789ab"}
    known.used = set()
    admits(known)
    assert known.used == set()


def test_a_caller_has_its_tenants_settings() -> None:
    settings = TenantSettings(priority=3, weight=2.0, text_policy="hashed")
    acme = Tenant(name="acme", settings=settings, created_at=NOW)
    known = keys(record(tenant="acme"), tenants={"acme": acme})
    caller = known.admit(f"Bearer {SECRET}", "10.0.0.1", 1.0)
    assert (caller.tenant, caller.priority, caller.weight) == ("acme", 3, 2.0)
    assert caller.text_policy == "hashed"
    known = keys(record(tenant="acme", priority=-1), tenants={"acme": acme})
    assert known.admit(f"Bearer {SECRET}", "10.0.0.1", 1.0).priority == -1


def test_the_copy_has_scopes_limits_and_tenants() -> None:
    limits = LimitRules(requests_per_minute=5)
    acme = Tenant(name="acme", settings=TenantSettings(limits=limits), created_at=NOW)
    one = record(
        tenant="acme",
        endpoints=("chat",),
        limits=limits,
        retired_hash="h",
        retired_until=NOW + timedelta(hours=1),
    )
    known = keys(one, tenants={"acme": acme})
    copy = orjson.loads(orjson.dumps([known.dump(), known.dump_tenants()]))
    restored = keys()
    assert restored.restore(copy[0], 0.0, age=0, tenants=copy[1])
    assert restored.key_limits() == {one.id: limits}
    assert restored.tenant_limits() == {"acme": limits}
    assert restored.dump() == known.dump()


def test_a_copy_of_an_older_gateway_is_understood() -> None:
    older = {
        "id": "0123456789ab", "name": "team", "hash": hash_secret(SECRET), "models": ["demo"],
        "created_at": NOW.isoformat(), "expires_at": None, "revoked_at": None,
    }  # fmt: skip
    known = keys()
    assert known.restore([older], 0.0, age=0, tenants=None)
    caller = known.admit(f"Bearer {SECRET}", "10.0.0.1", 1.0)
    assert (caller.tenant, caller.models) == ("team", ("demo",))


@pytest.mark.parametrize(
    ("endpoints", "route", "allowed"),
    [
        ((), "/v1/chat/completions", True),
        ((), "/anything", True),
        (("chat",), "/v1/chat/completions", True),
        (("chat",), "/v1/completions", False),
        (("chat", "models"), "/v1/models/{name}", True),
        (("forward",), "/forward_batch", True),
        (("ask",), "/api/answer/{question_id}", True),
        (("admin",), "/v1/chat/completions", False),
        (("admin",), "/admin/keys/{key_id}", True),
        (("chat",), "/never/heard/of", False),
    ],
)
def test_routes_of_scopes(endpoints: tuple[str, ...], route: str, allowed: bool) -> None:
    caller = Caller(identity="key:k", endpoints=endpoints)
    if allowed:
        caller.check_route(route)
        return
    with pytest.raises(EndpointForbidden):
        caller.check_route(route)


def test_admin_is_only_there_by_name() -> None:
    for identity, endpoints in (("key:k", ()), ("key:k", ("chat",)), ("token:t:s", ())):
        with pytest.raises(EndpointForbidden, match="--endpoint admin"):
            Caller(identity=identity, endpoints=endpoints).check_endpoint(Endpoint.ADMIN)
    Caller(identity="key:k", endpoints=("admin",)).check_endpoint(Endpoint.ADMIN)
    Caller(identity="addr:127.0.0.1").check_endpoint(Endpoint.ADMIN)


async def test_every_protected_route_has_a_scope(tmp_path: Path) -> None:
    gateway = create_app(Settings(dsn="postgresql://nobody@/x", state_dir=tmp_path))
    routes = set(gateway.fastapi.openapi()["paths"])
    assert [route for route in sorted(routes - OPEN) if endpoint_of(route) is None] == []
    gateway.segments.close()
