"""Who may call: API keys by their hashes, tokens by their signature, keyless calls from here.

Works from memory; ``replace`` swaps in what PostgreSQL holds. A key is found by its id and decided
by the hash of the whole secret in constant time; what was decided is remembered under the whole
header, so that the next call costs one look-up, until anything about keys changes. Without
PostgreSQL known keys are good for ``ttl`` seconds more (a revocation could not be heard). Secrets
stay in this process's memory: never in a dump, a log or an error.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from slipway_contracts.behalf import Asker, read_credential
from slipway_gateway.errors import BadRequest, EndpointForbidden, NoCapacity, Unauthenticated
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.tokens import Tokens, Verified, looks_like_token
from slipway_store.keys import Endpoint, KeyRecord, hash_secret, id_of
from slipway_store.quotas import LimitRules
from slipway_store.tenants import Tenant, TenantSettings, limits_of

__all__ = ["Caller", "Keys", "is_loopback"]

SECRET_PREFIX = "slw_"
# Verified headers that are remembered; beyond it all are forgotten and verified anew.
REMEMBERED = 10_000
_DEFAULTS = TenantSettings()

logger = logging.getLogger(__name__)


class Keys:
    """The known keys. Times are monotonic seconds, given by the caller.

    ``on_change`` runs after the keys or tenants have changed. ``used``: ids of keys that were used
    for the first time today, or since they were last changed.
    """

    def __init__(
        self,
        *,
        keyless_loopback: bool,
        ttl: float,
        pepper: str = "",
        tokens: Tokens | None = None,
    ) -> None:
        self._keyless_loopback = keyless_loopback
        self._ttl = ttl
        self.pepper = pepper
        self._tokens = tokens
        self._records: dict[str, KeyRecord] = {}
        self._tenants: dict[str, Tenant] = {}
        self._good_until = float("-inf")
        # Header → caller, until when, and whether it is a key (a token needs no PostgreSQL).
        self._verified: dict[str, tuple[Caller, float, bool]] = {}
        self.on_change: list[Callable[[Keys], None]] = []
        self.used: set[str] = set()
        if tokens is not None:
            tokens.on_change.append(self._verified.clear)

    def replace(
        self,
        records: Mapping[str, KeyRecord],
        now: float,
        *,
        tenants: Mapping[str, Tenant] | None = None,
    ) -> bool:
        """What PostgreSQL holds at ``now``; True when that differs from before."""
        fresh = dict(tenants or {})
        changed = self._records != records or self._tenants != fresh
        self._records = dict(records)
        self._tenants = fresh
        self.confirm(now)
        if changed:
            self._verified.clear()
            for observe in self.on_change:
                observe(self)
        return changed

    def key_limits(self) -> dict[str, LimitRules]:
        """By key id."""
        return {record.id: record.limits for record in self._records.values()}

    def tenant_limits(self) -> dict[str, LimitRules]:
        """By tenant."""
        return {name: tenant.settings.limits for name, tenant in self._tenants.items()}

    def dump(self) -> list[dict[str, Any]]:
        """For the copy: hashes, never secrets."""
        return [asdict(record) for record in self._records.values()]

    def dump_tenants(self) -> list[dict[str, Any]]:
        """For the copy."""
        return [asdict(tenant) for tenant in self._tenants.values()]

    def restore(self, copy: Any, now: float, *, age: float, tenants: Any = ()) -> bool:
        """Use a copy that was confirmed ``age`` seconds ago; False when it is not one."""
        try:
            records = [_record(item) for item in copy]
            known = [_tenant(item) for item in tenants or ()]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            logger.error("the copy of the keys cannot be used: %s", error)
            return False
        self.replace(
            {record.id: record for record in records},
            now - max(0.0, age),
            tenants={tenant.name: tenant for tenant in known},
        )
        return True

    @property
    def confirmed(self) -> float:
        """When the keys were last known to be PostgreSQL's; -inf where they never were."""
        return self._good_until - self._ttl

    def confirm(self, now: float) -> None:
        """PostgreSQL was heard at ``now``: a revocation before it would be known."""
        self._good_until = now + self._ttl

    def admit(self, authorization: str | None, address: str, now: float) -> Caller:
        """Raises Unauthenticated, Forbidden, BadRequest, or NoCapacity while no key can be checked.

        Who may ask on behalf of others is admitted as those (``slipway_contracts.behalf``).
        """
        if authorization is not None:
            known = self._verified.get(authorization)
            if known is not None and now < known[1] and (now <= self._good_until or not known[2]):
                return known[0]
        return self._verify(authorization or "", address, now)

    def _verify(self, authorization: str, address: str, now: float) -> Caller:
        scheme, _, secret = authorization.partition(" ")
        try:
            secret, asker = read_credential(secret.strip())
        except ValueError as error:
            raise BadRequest(f"the Authorization header: {error}") from error
        is_key = secret.startswith(SECRET_PREFIX)
        if not is_key and (self._tokens is None or not looks_like_token(secret)):
            # OpenAI's clients insist on sending some key; what is none of ours counts as none.
            if self._keyless_loopback and is_loopback(address):
                caller = _keyless(address)
                return caller if asker is None else self._for(asker, caller)
            raise Unauthenticated(
                "an API key is needed: send it as 'Authorization: Bearer slw_…'; "
                "'slipway keys create' makes one"
            )
        if scheme.lower() != "bearer":
            raise Unauthenticated("the Authorization header must be 'Bearer slw_…'")
        if is_key:
            caller, until = self._by_key(secret, now)
            if asker is not None:
                if Endpoint.ON_BEHALF not in caller.endpoints:
                    raise EndpointForbidden(
                        "this key may not ask on behalf of others; it has no scope on-behalf"
                    )
                caller = self._for(asker, caller)
        else:
            if asker is not None:
                raise EndpointForbidden("a token may not ask on behalf of others")
            assert self._tokens is not None
            verified = self._tokens.verify(secret, now)
            caller, until = self._by_token(verified), verified.until
        if len(self._verified) >= REMEMBERED:
            self._verified.clear()
        self._verified[authorization] = (caller, until, is_key)
        return caller

    def _by_key(self, secret: str, now: float) -> tuple[Caller, float]:
        """The caller, and until when this need not be looked at again."""
        record = self._records.get(id_of(secret) or "")
        wall = datetime.now(UTC)
        if record is None:
            # The same work as for a known id.
            hash_secret(secret, pepper=self.pepper)
            hash_secret(secret)
        until = None if record is None else record.accepts(secret, wall, pepper=self.pepper)
        if record is None or until is None:
            if self._good_until == float("-inf"):
                raise NoCapacity("keys are not loaded yet; try again in a few seconds")
            raise Unauthenticated("the API key is unknown, expired or revoked")
        if now > self._good_until:
            raise NoCapacity("keys could not be checked for too long; the database is away")
        self.used.add(record.id)
        settings = self._settings(record.tenant or record.name)
        caller = Caller(
            identity="key:" + record.id,
            key_id=record.id,
            tenant=record.tenant or record.name,
            models=record.models,
            endpoints=record.endpoints,
            priority=settings.priority if record.priority is None else record.priority,
            weight=settings.weight,
            text_policy=settings.text_policy,
        )
        # The day's end, so that tomorrow's first use is noticed.
        midnight = (wall + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return caller, now + (min(until, midnight) - wall).total_seconds()

    def _by_token(self, verified: Verified) -> Caller:
        settings = self._settings(verified.tenant)
        return Caller(
            identity=f"token:{verified.tenant}:{verified.subject}",
            tenant=verified.tenant,
            models=verified.models,
            endpoints=verified.endpoints,
            priority=settings.priority,
            weight=settings.weight,
            text_policy=settings.text_policy,
        )

    def _for(self, asker: Asker, caller: Caller) -> Caller:
        """The asker, with what the caller's own key reaches and its priority."""
        settings = self._settings(asker.tenant)
        return replace(
            caller,
            identity=f"for:{asker.tenant}:{asker.key_id}",
            key_id=asker.key_id,
            tenant=asker.tenant,
            weight=settings.weight,
            text_policy=settings.text_policy,
        )

    def _settings(self, tenant: str) -> TenantSettings:
        known = self._tenants.get(tenant)
        return _DEFAULTS if known is None else known.settings


def _record(item: dict[str, Any]) -> KeyRecord:
    """From a copy; one of an older program lacks the newer fields."""
    values = dict(item)
    for name in ("models", "endpoints"):
        values[name] = tuple(item.get(name) or ())
    for name in ("created_at", "expires_at", "revoked_at", "retired_until"):
        if item.get(name):
            values[name] = datetime.fromisoformat(item[name])
    return KeyRecord(**values | {"limits": limits_of(item.get("limits") or {})})


def _tenant(item: dict[str, Any]) -> Tenant:
    settings = item["settings"] | {"limits": limits_of(item["settings"]["limits"])}
    return Tenant(
        name=item["name"],
        settings=TenantSettings(**settings),
        created_at=datetime.fromisoformat(item["created_at"]),
    )


@lru_cache(maxsize=4096)
def _keyless(address: str) -> Caller:
    return Caller(identity="addr:" + address)


@lru_cache(maxsize=4096)
def is_loopback(address: str) -> bool:
    """127.0.0.0/8, ::1 and their mapped forms."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
