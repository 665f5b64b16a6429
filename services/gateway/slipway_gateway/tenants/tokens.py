"""JSON Web Tokens of an identity provider, verified by its published keys (JWKS).

Only asymmetric signatures from an allow-list, with issuer, audience and expiry. The keys are
fetched in the background: at start, every ``refresh`` seconds, and when a token names a key that is
not known (the provider rotates), at most every ``COOLDOWN`` seconds. Such a token is answered 503
with Retry-After until a fetch that began after it has decided. Fetching never delays a request.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import orjson
from jwt.exceptions import InvalidTokenError, PyJWKError

from slipway_gateway.errors import Forbidden, NoCapacity, Unauthenticated
from slipway_store.keys import Endpoint

logger = logging.getLogger(__name__)

COOLDOWN = 5.0
FETCH_TIMEOUT = 10.0
RETRY = 2.0
BODY_LIMIT = 1 << 20
LENGTH_LIMIT = 16_384
# Key ids that no fetch has found; beyond it the oldest knowledge is dropped.
MISSING_LIMIT = 1000
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
# Asking for others is for keys alone.
_ENDPOINTS = frozenset(endpoint.value for endpoint in Endpoint) - {Endpoint.ON_BEHALF.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom to believe. ``tenant_claim`` names the tenant; ``scope_claim`` None: scopes are not
    looked at, and a token reaches every Model and endpoint but ``admin``."""

    jwks_url: str
    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    leeway: float = 30.0
    refresh: float = 300.0
    tenant_claim: str = "tenant"
    scope_claim: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a good token says. ``until``: monotonic seconds of its end."""

    subject: str
    tenant: str
    models: tuple[str, ...]
    endpoints: tuple[str, ...]
    until: float


def looks_like_token(secret: str) -> bool:
    """Three dotted base64url parts of which the first begins a JSON object."""
    return secret.startswith("eyJ") and _TOKEN.fullmatch(secret) is not None


class Tokens:
    """One trusted issuer. ``on_change`` runs when its keys have changed."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._keys: dict[str, dict[str, Any]] = {}
        self._loaded = False
        self._missing: dict[str, float] = {}
        self._asked = asyncio.Event()
        self._fetched_at = float("-inf")
        self.on_change: list[Callable[[], None]] = []

    def verify(self, token: str, now: float) -> Verified:
        """Raises Unauthenticated, Forbidden, or NoCapacity while its key is being fetched."""
        if len(token) > LENGTH_LIMIT:
            raise Unauthenticated("the token is too long")
        key = self._key_for(token, now)
        trust = self._trust
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=trust.issuer,
                audience=trust.audience,
                leeway=trust.leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except InvalidTokenError as error:
            raise Unauthenticated(f"the token is not valid: {_reason(error)}") from None
        tenant = claims.get(trust.tenant_claim)
        if not isinstance(tenant, str) or not tenant:
            raise Unauthenticated(f"the token has no claim {trust.tenant_claim!r} with a tenant")
        models, endpoints = self._scopes(claims)
        left = float(claims["exp"]) + trust.leeway - time.time()
        return Verified(
            subject=str(claims["sub"]),
            tenant=tenant,
            models=models,
            endpoints=endpoints,
            until=now + left,
        )

    def replace(self, jwks: Any, now: float) -> None:
        """The issuer's keys, fetched by a request that began at ``now``. Raises ValueError."""
        found = _signing_keys(jwks)
        if not found:
            raise ValueError("it holds no key for signatures")
        changed = found != self._keys
        self._keys, self._loaded, self._fetched_at = found, True, now
        self._missing = {kid: until for kid, until in self._missing.items() if kid not in found}
        if changed:
            logger.info("%d keys of the token issuer loaded", len(found))
            for observe in self.on_change:
                observe()

    async def run(self) -> None:
        """Fetch until cancelled."""
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT), trust_env=False
        ) as session:
            while True:
                self._asked.clear()
                began = time.monotonic()
                try:
                    self.replace(await _fetch(session, self._trust.jwks_url), began)
                    pause = self._trust.refresh
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    # The keys that are known stay good: an outage there must not be one here.
                    logger.warning("the token issuer's keys cannot be fetched: %s", error)
                    pause = RETRY
                await asyncio.sleep(min(COOLDOWN, pause))
                try:
                    async with asyncio.timeout(max(0.0, pause - COOLDOWN)):
                        await self._asked.wait()
                except TimeoutError:
                    continue

    def _key_for(self, token: str, now: float) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except InvalidTokenError:
            raise Unauthenticated("the token's header cannot be read") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._trust.algorithms:
            allowed = ", ".join(self._trust.algorithms)
            raise Unauthenticated(f"the token must be signed with one of {allowed}")
        if not isinstance(kid, str) or not kid:
            raise Unauthenticated("the token's header must name its key (kid)")
        data = self._keys.get(kid)
        if data is None:
            raise self._unknown(kid, now)
        if data["kty"] != _TYPES[algorithm[:2]] or data.get("alg", algorithm) != algorithm:
            raise Unauthenticated("the token's algorithm is not that of its key")
        try:
            return jwt.PyJWK(data, algorithm=algorithm)
        except PyJWKError:
            raise Unauthenticated("the token's key cannot be used with its algorithm") from None

    def _unknown(self, kid: str, now: float) -> NoCapacity | Unauthenticated:
        """Wait for a fetch that begins after this; when it has not found the key, that is final for
        a while."""
        asked = self._missing.get(kid)
        if asked is not None and self._fetched_at > asked and now < asked + 3 * COOLDOWN:
            return Unauthenticated("the token's key is not one of its issuer's")
        if asked is None or self._fetched_at > asked:
            if len(self._missing) >= MISSING_LIMIT:
                self._missing.pop(next(iter(self._missing)))
            self._missing[kid] = now
        self._asked.set()
        return NoCapacity("the token's key is not known yet; try again in a few seconds")

    def _scopes(self, claims: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(models, endpoints) of ``model:NAME`` and ``endpoint:NAME`` entries."""
        if self._trust.scope_claim is None:
            return (), ()
        given = claims.get(self._trust.scope_claim)
        entries = given.split() if isinstance(given, str) else given
        names: Sequence[Any] = entries if isinstance(entries, list) else ()
        words = [name for name in names if isinstance(name, str)]
        models = _after("model:", words)
        endpoints = tuple(name for name in _after("endpoint:", words) if name in _ENDPOINTS | {"*"})
        if not models and not endpoints:
            raise Forbidden(
                f"the token's claim {self._trust.scope_claim!r} names no model: or endpoint: scope"
            )
        return _all_or(models), _all_or(endpoints)


def _after(prefix: str, words: Sequence[str]) -> tuple[str, ...]:
    return tuple(w.removeprefix(prefix) for w in words if w.startswith(prefix) and w != prefix)


def _all_or(names: tuple[str, ...]) -> tuple[str, ...]:
    """``*`` is everything; ``endpoint:*`` with ``endpoint:admin`` keeps the latter out: give it in
    a token of its own."""
    return () if "*" in names else names


def _signing_keys(jwks: Any) -> dict[str, dict[str, Any]]:
    entries = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(entries, list):
        raise ValueError('it is not {"keys": […]}')
    return {
        entry["kid"]: entry
        for entry in entries
        if isinstance(entry, dict)
        and isinstance(entry.get("kid"), str)
        and entry.get("kty") in set(_TYPES.values())
        and entry.get("use", "sig") == "sig"
    }


def _reason(error: InvalidTokenError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.InvalidAudienceError():
            return "it is for another audience"
        case jwt.InvalidIssuerError():
            return "it is of another issuer"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet"
        case jwt.MissingRequiredClaimError():
            return f"it lacks the claim {error.claim}"
        case _:
            return "its signature does not hold"


async def _fetch(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status != 200:
            raise ValueError(f"{url} answered {answer.status}")
        body = bytearray()
        async for part in answer.content.iter_chunked(65_536):
            body += part
            if len(body) > BODY_LIMIT:
                raise ValueError(f"{url} is larger than {BODY_LIMIT} bytes")
    return orjson.loads(body)
