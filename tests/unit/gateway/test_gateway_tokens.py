"""Tokens: what is believed, what is not, and what waits for the issuer's keys. No network."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from token_issuer import AUDIENCE, ISSUER, TokenIssuer

from slipway_gateway.errors import Forbidden, NoCapacity, Unauthenticated
from slipway_gateway.settings import Settings
from slipway_gateway.tenants.keys import Keys
from slipway_gateway.tenants.tokens import Tokens, Trust

NOW = 1000.0


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


def tokens(issuer: TokenIssuer, **fields: Any) -> Tokens:
    trust = {"jwks_url": "http://127.0.0.1:1/jwks", "issuer": ISSUER, "audience": AUDIENCE}
    made = Tokens(Trust(**trust | fields))
    made.replace(issuer.jwks(), NOW)
    return made


def part(value: object) -> str:
    data = json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_good_token(issuer: TokenIssuer) -> None:
    verified = tokens(issuer).verify(issuer.token(), NOW)
    assert (verified.subject, verified.tenant) == ("somebody", "acme")
    assert (verified.models, verified.endpoints) == ((), ())
    assert NOW + 600 < verified.until < NOW + 640


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "lacks the claim exp"),
        ({"aud": "another"}, "audience"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"sub": None}, "sub"),
        ({"nbf": 4_102_444_800}, "not valid yet"),
        ({"tenant": None}, "no claim 'tenant'"),
        ({"tenant": ["a"]}, "no claim 'tenant'"),
        ({"tenant": ""}, "no claim 'tenant'"),
    ],
    ids=str,
)
def test_claims_that_are_refused(issuer: TokenIssuer, claims: dict[str, Any], told: str) -> None:
    with pytest.raises(Unauthenticated, match=told):
        tokens(issuer).verify(issuer.token(**claims), NOW)


def test_clocks_may_differ_a_little(issuer: TokenIssuer) -> None:
    known = tokens(issuer)
    known.verify(issuer.token(exp=time.time() - 20), NOW)
    known.verify(issuer.token(nbf=time.time() + 20), NOW)
    with pytest.raises(Unauthenticated):
        known.verify(issuer.token(exp=time.time() - 40), NOW)


def test_signatures_that_are_refused(issuer: TokenIssuer) -> None:
    known = tokens(issuer)
    good = issuer.token()
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    public = json.dumps(issuer.jwks()["keys"][0])
    none = f"{part({'alg': 'none', 'kid': issuer.kid})}.{body}."
    # The public key as an HMAC secret: what libraries fell for once.
    confused = jwt.encode(claims, "x" * 32 + public, "HS256", {"kid": issuer.kid})
    forged = f"{head}.{part(claims | {'tenant': 'other'})}.{signature}"
    other = TokenIssuer().token()
    for wrong in (none, confused, forged, other, good[:-4], f"{head}.{body}.", "eyJ.e.e"):
        with pytest.raises(Unauthenticated):
            known.verify(wrong, NOW)
    with pytest.raises(Unauthenticated, match="must be signed with one of RS256, ES256"):
        known.verify(issuer.token(algorithm="PS256"), NOW)
    with pytest.raises(Unauthenticated, match="too long"):
        known.verify(issuer.token(extra="x" * 20_000), NOW)


def test_a_key_is_for_its_own_algorithm(issuer: TokenIssuer) -> None:
    jwks = issuer.jwks()
    jwks["keys"][0]["alg"] = "RS512"
    known = tokens(issuer)
    known.replace(jwks, NOW)
    with pytest.raises(Unauthenticated, match="not that of its key"):
        known.verify(issuer.token(), NOW)


@pytest.mark.parametrize(
    ("scope", "models", "endpoints"),
    [
        ("openid model:a model:b", ("a", "b"), ()),
        (["model:a", "endpoint:chat", 3], ("a",), ("chat",)),
        ("model:* endpoint:admin", (), ("admin",)),
        ("endpoint:* model:a", ("a",), ()),
    ],
    ids=str,
)
def test_scopes(issuer: TokenIssuer, scope: Any, models: Any, endpoints: Any) -> None:
    known = tokens(issuer, scope_claim="scope")
    verified = known.verify(issuer.token(scope=scope), NOW)
    assert (verified.models, verified.endpoints) == (models, endpoints)


@pytest.mark.parametrize("scope", [None, "", "openid", "model:", "endpoint:root", {"a": 1}, 3])
def test_without_scopes_nothing_is_allowed(issuer: TokenIssuer, scope: Any) -> None:
    with pytest.raises(Forbidden, match="'scope' names no"):
        tokens(issuer, scope_claim="scope").verify(issuer.token(scope=scope), NOW)


def test_an_unknown_key_waits_for_one_fetch() -> None:
    issuer = TokenIssuer()
    known = tokens(issuer)
    issuer.rotate("new", publish=False)
    token = issuer.token()
    for _ in range(2):
        with pytest.raises(NoCapacity) as caught:
            known.verify(token, NOW + 1)
        assert caught.value.retry_after
    # The fetch that was asked for did not find it.
    known.replace(issuer.jwks(), NOW + 2)
    with pytest.raises(Unauthenticated, match="not one of its issuer's"):
        known.verify(token, NOW + 3)
    # Asked for again later, in case the issuer was slow to publish.
    with pytest.raises(NoCapacity):
        known.verify(token, NOW + 30)
    issuer.published.append("new")
    known.replace(issuer.jwks(), NOW + 31)
    assert known.verify(token, NOW + 32).tenant == "acme"


@pytest.mark.parametrize("jwks", [None, [], {}, {"keys": {}}, {"keys": [{"kty": "oct", "k": "x"}]}])
def test_what_is_no_set_of_keys_changes_nothing(issuer: TokenIssuer, jwks: Any) -> None:
    known = tokens(issuer)
    with pytest.raises(ValueError, match="it "):
        known.replace(jwks, NOW)
    assert known.verify(issuer.token(), NOW)


def test_keys_admit_by_token_and_forget_when_the_issuers_keys_change() -> None:
    issuer = TokenIssuer()
    believed = tokens(issuer)
    keys = Keys(keyless_loopback=True, ttl=60, tokens=believed)
    token = issuer.token()
    caller = keys.admit(f"Bearer {token}", "10.0.0.1", NOW)
    assert (caller.identity, caller.key_id, caller.tenant) == ("token:acme:somebody", "", "acme")
    assert keys.admit(f"Bearer {token}", "10.0.0.1", NOW + 1) is caller
    # A token that is none is not taken for a keyless call.
    with pytest.raises(Unauthenticated):
        keys.admit(f"Bearer {issuer.token(exp=1)}", "127.0.0.1", NOW)
    assert keys.admit("Bearer none-of-ours", "127.0.0.1", NOW).keyless
    issuer.published.clear()
    issuer.rotate("second")
    believed.replace(issuer.jwks(), NOW + 2)
    with pytest.raises(NoCapacity):
        keys.admit(f"Bearer {token}", "10.0.0.1", NOW + 3)


def test_a_token_is_remembered_until_its_end(issuer: TokenIssuer) -> None:
    keys = Keys(keyless_loopback=False, ttl=60, tokens=tokens(issuer))
    header = f"Bearer {issuer.token(exp=time.time() + 10)}"
    caller = keys.admit(header, "10.0.0.1", NOW)
    assert keys.admit(header, "10.0.0.1", NOW + 30) is caller
    assert keys.admit(header, "10.0.0.1", NOW + 50) is not caller


@pytest.mark.parametrize(
    "fields",
    [
        {"jwt_algorithms": "HS256"},
        {"jwt_algorithms": "none"},
        {"jwt_algorithms": "RS256,HS512"},
        {"jwt_jwks_url": "https://issuer.example/jwks"},
        {"jwt_jwks_url": "file:///etc/passwd", "jwt_issuer": "i", "jwt_audience": "a"},
    ],
    ids=str,
)
def test_settings_that_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="jwt_"):
        Settings(dsn="postgresql://nobody@/x", **fields)
