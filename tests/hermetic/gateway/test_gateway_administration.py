"""``/admin`` as each kind of caller, its errors, its audit log, and a key's life through it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_process import eventually
from postgres_proxy import PostgresProxy
from token_issuer import AUDIENCE, ISSUER, TokenIssuer

from slipway_store.keys import Endpoint, NewKey, make_key

FIRST_ADMIN = "slw_0000000000ad_" + "a" * 43
PEPPER = "the server's pepper"
EVERY = [
    ("GET", "/admin/tenants", None),
    ("POST", "/admin/tenants", {"name": "t"}),
    ("GET", "/admin/tenants/t", None),
    ("PUT", "/admin/tenants/t", {}),
    ("DELETE", "/admin/tenants/t", None),
    ("GET", "/admin/keys", None),
    ("POST", "/admin/keys", {"name": "k"}),
    ("GET", "/admin/keys/0123456789ab", None),
    ("POST", "/admin/keys/0123456789ab/rotate", {}),
    ("POST", "/admin/keys/0123456789ab/revoke", None),
    ("GET", "/admin/jobs", None),
    ("POST", "/admin/jobs/retry", {"all": True}),
    ("GET", "/admin/usage", None),
    ("GET", "/admin/audit", None),
]


class Admin:
    """Calls to ``/admin`` of one gateway as one caller."""

    def __init__(self, demo: Any, secret: str = "", **headers: str) -> None:
        self._demo = demo
        self._headers = headers | ({"authorization": f"Bearer {secret}"} if secret else {})

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._demo.client.request(
            method, self._demo.gateway.url + path, json=body, headers=self._headers
        ) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if text else None


@pytest.fixture
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with TokenIssuer() as one:
        yield one


@pytest.fixture
async def guarded(start: Any, issuer: TokenIssuer) -> Any:
    """A gateway as in a cluster: keys needed, a first admin key, a pepper, tokens."""
    return await start(
        keyless_loopback="false",
        first_admin_key=FIRST_ADMIN,
        key_pepper=PEPPER,
        jwt_jwks_url=issuer.url,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_scope_claim="scope",
    )


async def admin_of(demo: Any) -> Admin:
    admin = Admin(demo, FIRST_ADMIN)

    async def is_known() -> bool:
        return (await admin("GET", "/admin/keys"))[0] == 200

    await eventually(is_known, what="the first admin key")
    return admin


async def test_nobody_but_admins_comes_in(guarded: Any, issuer: TokenIssuer) -> None:
    admin = await admin_of(guarded)
    _, plain = await make_key(guarded.pool, NewKey(name="plain"))
    _, scoped = await make_key(guarded.pool, NewKey(name="chat", endpoints=[Endpoint.CHAT]))

    async def known() -> bool:
        got = [await Admin(guarded, s)("GET", "/v1/models") for s in (plain, scoped)]
        return [status for status, _ in got] == [200, 403]

    await eventually(known, what="the keys")
    token = issuer.token(scope="model:*")
    callers = {
        "no key": (Admin(guarded), 401),
        "unknown key": (Admin(guarded, "slw_0123456789ab_" + "x" * 43), 401),
        "basic": (Admin(guarded, authorization=f"Basic {FIRST_ADMIN}"), 401),
        "key without scopes": (Admin(guarded, plain), 403),
        "key of another scope": (Admin(guarded, scoped), 403),
        "token": (Admin(guarded, token), 403),
        "expired token": (Admin(guarded, issuer.token(scope="endpoint:admin", exp=1)), 401),
    }

    async def token_is_known() -> bool:
        return (await callers["token"][0]("GET", "/v1/models"))[0] == 200

    await eventually(token_is_known, what="the issuer's key")
    before = await guarded.pool.fetchval("SELECT count(*) FROM audit_log")
    for who, (caller, expected) in callers.items():
        for method, path, body in EVERY:
            # Who calls is asked before what: a wrong body of a stranger is not judged.
            for sent in (body, {"wrong": 1}) if body is not None else (body,):
                status, answer = await caller(method, path, sent)
                assert status == expected, (who, method, path)
                assert "error" in answer
    assert await guarded.pool.fetchval("SELECT count(*) FROM audit_log") == before
    by_token = Admin(guarded, issuer.token(scope="endpoint:admin", sub="ann"))
    assert (await by_token("POST", "/admin/tenants", {"name": "t"}))[0] == 201
    _, (entry, *_) = await admin("GET", "/admin/audit?target=tenant:t")
    assert entry["actor"] == "token:acme:ann"
    # The admin scope is for nothing else.
    assert (await admin("GET", "/v1/models"))[0] == 403


async def test_a_keys_life(guarded: Any) -> None:
    admin = await admin_of(guarded)
    limits = {"requests_per_minute": 100}
    assert (await admin("POST", "/admin/tenants", {"name": "acme", "limits": limits}))[0] == 201
    body = {
        "name": "bot",
        "tenant": "acme",
        "models": ["demo"],
        "endpoints": ["models"],
        "limits": {"concurrency": 2},
        "expires_in_seconds": 3600,
    }
    status, made = await admin("POST", "/admin/keys", body)
    assert status == 201
    key_id, secret = made["key"]["id"], made["secret"]
    stored = await guarded.pool.fetchval("SELECT hash FROM api_keys WHERE id = $1", key_id)
    assert stored.startswith("hmac:")
    user = Admin(guarded, secret)

    async def works(caller: Admin = user) -> bool:
        return (await caller("GET", "/v1/models"))[0] == 200

    await eventually(works, what="the key")
    status, rotated = await admin("POST", f"/admin/keys/{key_id}/rotate", {"grace_seconds": 60})
    assert status == 200
    assert rotated["key"]["old_secret_until"]
    newer = Admin(guarded, rotated["secret"])
    await eventually(lambda: works(newer), what="the new secret")
    assert await works()
    _, listed = await admin("GET", "/admin/keys?tenant=acme")
    assert [(key["id"], key["state"]) for key in listed] == [(key_id, "live")]

    async def was_used() -> bool:
        return (await admin("GET", f"/admin/keys/{key_id}"))[1]["last_used"] is not None

    await eventually(was_used, what="the day of its use")
    assert (await admin("DELETE", "/admin/tenants/acme"))[0] == 409
    status, revoked = await admin("POST", f"/admin/keys/{key_id}/revoke")
    assert (status, revoked["state"]) == (200, "revoked")

    async def refused() -> bool:
        return not await works() and not await works(newer)

    await eventually(refused, what="the revocation of both secrets")
    assert (await admin("POST", f"/admin/keys/{key_id}/rotate", {}))[0] == 409
    assert (await admin("DELETE", "/admin/tenants/acme"))[0] == 204
    _, entries = await admin("GET", f"/admin/audit?target=key:{key_id}")
    assert [entry["action"] for entry in entries] == ["key.revoke", "key.rotate", "key.create"]
    assert {entry["actor"] for entry in entries} == {"key:0000000000ad"}
    assert all(entry["request_id"] for entry in entries)
    log = guarded.gateway.log.read_text()
    everything = f"{log}{entries}{listed}"
    for secret in (made["secret"], rotated["secret"], FIRST_ADMIN, PEPPER):
        assert secret not in everything
        assert re.sub(r"^slw_\w{12}_", "", secret) not in everything


WRONG = [
    ("POST", "/admin/tenants", {"name": "a b"}, "name"),
    ("POST", "/admin/tenants", {}, "name"),
    ("POST", "/admin/tenants", {"name": "a", "colour": 1}, "colour"),
    ("POST", "/admin/tenants", {"name": "a", "weight": 0}, "weight"),
    ("POST", "/admin/tenants", {"name": "a", "text_policy": "some"}, "text_policy"),
    ("POST", "/admin/tenants", {"name": "a", "limits": {"rpm": 1}}, "limits.rpm"),
    (
        "POST",
        "/admin/tenants",
        {"name": "a", "limits": {"concurrency": 0}},
        "limits.concurrency",
    ),
    ("POST", "/admin/keys", {"name": ""}, "name"),
    ("POST", "/admin/keys", {"name": "k", "endpoints": ["root"]}, "endpoints.0"),
    ("POST", "/admin/keys", {"name": "k", "expires_at": "soon"}, "expires_at"),
    ("POST", "/admin/keys", {"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("POST", "/admin/keys", {"name": "k\0"}, "NUL"),
    ("POST", "/admin/keys/0123456789ab/rotate", {"grace_seconds": -1}, "grace_seconds"),
    ("GET", "/admin/keys/nothing-like-an-id", None, "key_id"),
    ("POST", "/admin/jobs/retry", {}, 'give ids, or "all": true'),
    ("POST", "/admin/jobs/retry", {"ids": [1], "all": True}, 'give ids, or "all": true'),
    ("POST", "/admin/jobs/retry", {"ids": []}, "ids"),
    ("POST", "/admin/jobs/retry", {"ids": [0]}, "ids.0"),
    ("GET", "/admin/usage?from=yesterday", None, "from"),
    ("GET", "/admin/usage?from=2026-02-02&to=2026-02-01", None, "from"),
    ("GET", "/admin/audit?limit=0", None, "limit"),
]


async def test_errors_name_the_field(demo: Any) -> None:
    admin = Admin(demo)
    for method, path, body, told in WRONG:
        status, answer = await admin(method, path, body)
        assert status == 400, (path, body, answer)
        assert told in answer["error"]["message"], (path, body, answer)
    for method, path, body in EVERY[2:5]:
        status, answer = await admin(method, path, body)
        assert (status, answer["error"]["code"]) == (404, "not_found")
        assert "slipway tenants list" in answer["error"]["message"]
    status, answer = await admin("POST", "/admin/keys", {"name": "k", "tenant": "nobody"})
    assert status == 404
    assert "slipway tenants create nobody" in answer["error"]["message"]


async def test_keyless_administration_is_for_this_machines_own_programs(demo: Any) -> None:
    assert (await Admin(demo)("GET", "/admin/keys"))[0] == 200
    assert (await Admin(demo, origin="http://localhost:3000")("GET", "/admin/keys"))[0] == 200
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"x-forwarded-for": "127.0.0.1"},
    ):
        status, _ = await Admin(demo, **headers)("GET", "/admin/keys")
        assert status in (401, 403), headers


async def test_a_database_that_is_away_or_frozen(start: Any, dsn: str) -> None:
    async with PostgresProxy(dsn) as proxy:
        demo = await start(own_dsn=proxy.dsn)
        admin = Admin(demo)
        assert (await admin("GET", "/admin/keys"))[0] == 200
        proxy.freeze()
        status, answer = await admin("POST", "/admin/tenants", {"name": "t"})
        assert status == 503
        assert "look what was changed" in answer["error"]["message"]
        await proxy.restore()

        async def is_back() -> bool:
            return (await admin("GET", "/admin/keys"))[0] == 200

        await eventually(is_back, what="the database")
        await proxy.shut()
        assert (await admin("GET", "/admin/keys"))[0] == 503


async def test_it_is_documented(demo: Any) -> None:
    _, document = await Admin(demo)("GET", "/openapi.json")
    for method, path, _ in EVERY:
        path = path.replace("/tenants/t", "/tenants/{name}").replace("0123456789ab", "{key_id}")
        described = document["paths"][path][method.lower()]
        assert described["summary"]
        assert described["tags"] == ["Admin"]
        assert {"401", "403", "503"} <= set(described["responses"])


async def test_usage_of_a_day(demo: Any, v1: Any, to: Any) -> None:
    await demo.publish(to(v1))
    _, _, request_id = await demo.ask()
    await demo.rows(request_id)
    status, lines = await Admin(demo)("GET", f"/admin/usage?model={demo.model}")
    assert status == 200
    (line,) = lines
    assert (line["version"], line["requests"], line["gpu_seconds"]) == ("v1", 1, None)
    assert line["completion_tokens"] > 0
