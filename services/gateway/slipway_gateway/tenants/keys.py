"""Who may call: API keys by their hashes, and keyless calls from this machine where allowed.

Works from memory; ``replace`` swaps in what PostgreSQL holds. A key is found by its id and decided
by the hash of the whole secret in constant time. Without PostgreSQL known keys are good for
``ttl`` seconds more (a revocation could not be heard). Secrets are never logged or kept.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from slipway_gateway.errors import Forbidden, NoCapacity, Unauthenticated
from slipway_store.keys import KeyRecord, hash_secret, id_of

SECRET_PREFIX = "slw_"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An admitted call. ``identity`` tells callers apart: the key's id, or the address.

    ``models`` and ``endpoints`` empty: all (but ``admin``, which is only there by name).
    ``priority``: higher first. ``weight``: the tenant's share. ``text_policy`` None: the process's.
    """

    identity: str
    key_id: str = ""
    tenant: str = ""
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    priority: int = 0
    weight: float = 1.0
    text_policy: str | None = None

    def may_use(self, model: str) -> bool:
        """Whether the key reaches this Model."""
        return not self.models or model in self.models

    def check(self, model: str) -> None:
        """Raises Forbidden."""
        if not self.may_use(model):
            raise Forbidden(f"this key may not use the model {model}", param="model")


class Keys:
    """The known keys. Times are monotonic seconds, given by the caller."""

    def __init__(self, *, keyless_loopback: bool, ttl: float) -> None:
        self._keyless_loopback = keyless_loopback
        self._ttl = ttl
        self._records: dict[str, KeyRecord] = {}
        self._good_until = float("-inf")

    def replace(self, records: Mapping[str, KeyRecord], now: float) -> bool:
        """What PostgreSQL holds at ``now``; True when that differs from before."""
        changed = self._records != records
        self._records = dict(records)
        self.confirm(now)
        return changed

    def dump(self) -> list[dict[str, Any]]:
        """For the copy: hashes, never secrets."""
        return [asdict(record) for record in self._records.values()]

    def restore(self, copy: Any, now: float, *, age: float) -> bool:
        """Use a copy that was confirmed ``age`` seconds ago; False when it is not one."""
        try:
            records = [KeyRecord(**(item | _times(item))) for item in copy]
        except (KeyError, TypeError, ValueError) as error:
            logger.error("the copy of the keys cannot be used: %s", error)
            return False
        self.replace({record.id: record for record in records}, now - max(0.0, age))
        return True

    def confirm(self, now: float) -> None:
        """PostgreSQL was heard at ``now``: a revocation before it would be known."""
        self._good_until = now + self._ttl

    def admit(self, authorization: str | None, address: str, now: float) -> Caller:
        """Raises Unauthenticated, or NoCapacity while no key can be checked."""
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if not secret.startswith(SECRET_PREFIX):
            # OpenAI's clients insist on sending some key; what is none of ours counts as none.
            if self._keyless_loopback and is_loopback(address):
                return Caller(identity="addr:" + address)
            raise Unauthenticated(
                "an API key is needed: send it as 'Authorization: Bearer slw_…'; "
                "'slipway keys create' makes one"
            )
        if scheme.lower() != "bearer":
            raise Unauthenticated("the Authorization header must be 'Bearer slw_…'")
        record = self._records.get(id_of(secret) or "")
        if record is None:
            # The same work as for a known id.
            hash_secret(secret)
        if record is None or not record.matches(secret) or not record.live(datetime.now(UTC)):
            if self._good_until == float("-inf"):
                raise NoCapacity("keys are not loaded yet; try again in a few seconds")
            raise Unauthenticated("the API key is unknown, expired or revoked")
        if now > self._good_until:
            raise NoCapacity("keys could not be checked for too long; the database is away")
        return Caller(
            identity="key:" + record.id, key_id=record.id, tenant=record.name, models=record.models
        )


def _times(item: dict[str, Any]) -> dict[str, Any]:
    names = ("created_at", "expires_at", "revoked_at")
    return {
        "models": tuple(item["models"]),
        **{name: datetime.fromisoformat(item[name]) for name in names if item[name]},
    }


@lru_cache(maxsize=4096)
def is_loopback(address: str) -> bool:
    """127.0.0.0/8, ::1 and their mapped forms."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
