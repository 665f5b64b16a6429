"""The limits of keys and tenants, from memory: ``enter`` begins a request, ``settle`` ends it.

A caller has up to two scopes, its key and its tenant, each with up to four quotas; all must agree.
Requests count when they enter. Tokens are reserved by an estimate (the mean of the scope's last
requests) and corrected when the answer, whole or a stream, has ended. The numbers are this
process's part of what all gateways share: ``leases`` leases it ahead from PostgreSQL. Knows no
database; a caller without limits costs two look-ups.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from slipway_gateway.errors import NoCapacity, RateLimited
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.meters import Meter
from slipway_gateway.tenants.scope import Headers, Scope, headers_of, span
from slipway_gateway.tenants.slots import Slots
from slipway_gateway.tenants.world import World
from slipway_store.quotas import Grant, LimitRules, Quota, Sight, Wish

# Of one request, whatever its engine says.
MOST_TOKENS: Final = 2**31
_WORDS: Final = {
    Quota.REQUESTS_PER_MINUTE: ("requests", "requests a minute"),
    Quota.TOKENS_PER_MINUTE: ("tokens", "tokens a minute"),
    Quota.TOKENS_PER_DAY: ("tokens", "tokens a day"),
    Quota.CONCURRENCY: ("requests", "requests at the same time"),
}


class Lease:
    """A request that entered. ``settle`` exactly once; more often does nothing.

    This one is of a caller without limits: it holds nothing.
    """

    __slots__ = ()

    @property
    def headers(self) -> Headers:
        """``x-ratelimit-*`` as OpenAI sends them; empty without limits."""
        return ()

    def settle(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """The request has ended. None: this part took no tokens (it failed before)."""


class _Counted(Lease):
    __slots__ = ("_at", "_open", "_reserved", "_scopes", "_slots")

    def __init__(
        self,
        scopes: tuple[Scope, ...],
        at: float,
        reserved: list[tuple[Meter, int, int]],
        slots: list[Slots],
    ) -> None:
        self._scopes = scopes
        self._at = at
        self._reserved = reserved
        self._slots = slots
        self._open = True

    @property
    def headers(self) -> Headers:
        return headers_of(self._scopes, self._at)

    def settle(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        if not self._open:
            return
        self._open = False
        actual = min(MOST_TOKENS, max(0, prompt_tokens or 0) + max(0, completion_tokens or 0))
        for meter, window, reserved in self._reserved:
            meter.correct(window, reserved, actual)
            if actual:
                meter.observe(actual)
        for slots in self._slots:
            slots.leave()
        for scope in self._scopes:
            scope.open -= 1


_FREE: Final = Lease()


class Limits:
    """All limits of a process. ``now`` is monotonic seconds. ``wake`` calls the background task."""

    def __init__(self, *, open_without_database: bool = True) -> None:
        self.world = World(open_when_away=open_without_database)
        self.wake: Callable[[], None] = _nobody
        self._keys: dict[str, Scope] = {}
        self._tenants: dict[str, Scope] = {}
        self._named: dict[str, Scope] = {}
        self._active: dict[str, Scope] = {}
        # PostgreSQL's clock less the monotonic one; this machine's own clock until it was heard.
        self._offset = time.time() - time.monotonic()

    @property
    def configured(self) -> bool:
        """Whether anybody is limited at all."""
        return bool(self._keys or self._tenants)

    def replace(self, *, keys: Mapping[str, LimitRules], tenants: Mapping[str, LimitRules]) -> None:
        """The rules by key id and by tenant name; scopes that go on keep their counts."""
        self._keys = self._scoped("key", keys, self._keys)
        self._tenants = self._scoped("tenant", tenants, self._tenants)
        every = [*self._keys.values(), *self._tenants.values()]
        self._named = {scope.name: scope for scope in every}
        self._active = {scope.name: scope for scope in every if scope.active}
        self.wake()

    def enter(self, caller: Caller, model: str, now: float, *, tokens: int | None = None) -> Lease:
        """Begin a request, or raise RateLimited. ``tokens``: a better estimate than the mean."""
        key, tenant = self._keys.get(caller.key_id), self._tenants.get(caller.tenant)
        if key is None and tenant is None:
            return _FREE
        scopes = tuple(scope for scope in (key, tenant) if scope is not None)
        at = now + self._offset
        spending: list[tuple[Meter, int]] = []
        for scope in scopes:
            if not scope.active:
                # Also when it is refused: the refusal asks for more.
                scope.active = True
                self._active[scope.name] = scope
            self._judge(scope, scopes, at, tokens, spending)
        low = False
        reserved = []
        for meter, cost in spending:
            low |= meter.spend(cost, at)
            if meter.tokens:
                reserved.append((meter, meter.window, cost))
        for scope in scopes:
            scope.open += 1
        entered = [scope.slots for scope in scopes if scope.slots is not None]
        for slots in entered:
            low |= slots.enter(at)
        if low:
            self.wake()
        return _Counted(scopes, at, reserved, entered)

    def _judge(
        self,
        scope: Scope,
        scopes: tuple[Scope, ...],
        at: float,
        tokens: int | None,
        spending: list[tuple[Meter, int]],
    ) -> None:
        """Adds what the scope's meters would spend; raises where one refuses."""
        requests = scope.requests
        if requests is not None:
            requests.roll(at)
            if not requests.allows(1):
                raise self._refused(scope, requests, scopes, at)
            spending.append((requests, 1))
        for meter in scope.tokens:
            meter.roll(at)
            cost = meter.estimate() if tokens is None else max(1, min(tokens, meter.limit))
            if not meter.allows(cost):
                raise self._refused(scope, meter, scopes, at)
            spending.append((meter, cost))
        if scope.slots is not None and not scope.slots.allows():
            raise self._refused(scope, scope.slots, scopes, at)

    def _refused(
        self, scope: Scope, meter: Meter | Slots, scopes: tuple[Scope, ...], at: float
    ) -> RateLimited | NoCapacity:
        self.wake()
        if self.world.away and not self.world.open_when_away:
            return NoCapacity("the limits cannot be checked now: the database is away; try again")
        kind, words = _WORDS[meter.quota]
        wait = meter.retry_in(at) if isinstance(meter, Meter) else 1.0
        return RateLimited(
            f"{scope.word} has reached its limit of {meter.limit} {words}; "
            f"try again in {span(wait)}",
            kind=kind,
            param=meter.quota.value,
            retry_after=max(1, math.ceil(wait)),
            headers=headers_of(scopes, at),
            is_leasing=meter.leasing(),
        )

    # -- for the background task -----------------------------------------------------------------

    def wishes(self, now: float, elapsed: float) -> list[Wish]:
        """What PostgreSQL must be told or asked; ``elapsed`` seconds since the last time."""
        at = now + self._offset
        found: list[Wish] = []
        for scope in list(self._active.values()):
            found += scope.wishes(at, elapsed)
            if not scope.active:
                del self._active[scope.name]
        return found

    def returns(self, now: float) -> list[Wish]:
        """At exit: everything that is leased and not spent goes back."""
        at = now + self._offset
        found: list[Wish] = []
        for scope in self._active.values():
            found += [meter.release(at) for meter in scope.meters.values() if meter.window >= 0]
            if scope.slots is not None:
                found.append(scope.slots.release())
        return found

    def granted(self, grants: Iterable[Grant]) -> None:
        """PostgreSQL's answers to ``wishes``."""
        for grant in grants:
            scope = self._named.get(grant.scope)
            if scope is None:
                continue
            if grant.quota is Quota.CONCURRENCY:
                if scope.slots is not None:
                    scope.slots.granted(grant)
            elif (meter := scope.meters.get(grant.quota)) is not None:
                meter.granted(grant)

    def saw(self, sight: Sight, now: float) -> None:
        """The world at ``now``: scopes that this process does not use learn what is left."""
        self.world.peers = sight.peers
        self._offset = sight.clock - now
        for (name, quota, window), used in sight.used.items():
            scope = self._named.get(name)
            if scope is None:
                continue
            if quota == Quota.CONCURRENCY:
                if scope.slots is not None:
                    scope.slots.learn(scope.slots.limit - used)
                continue
            meter = scope.meters.get(Quota(quota))
            if meter is not None:
                meter.roll(sight.clock)
                if meter.window == window:
                    meter.learn(meter.limit - used)

    def lapsed(self) -> None:
        """PostgreSQL was away for longer than a lease lasts."""
        for scope in self._active.values():
            for meter in scope.meters.values():
                meter.lapsed()
            if scope.slots is not None:
                scope.slots.lapsed()

    def _scoped(
        self, kind: str, rules: Mapping[str, LimitRules], before: Mapping[str, Scope]
    ) -> dict[str, Scope]:
        scopes = {}
        for name, limits in rules.items():
            if not limits.stored():
                continue
            scope = before.get(name)
            if scope is None:
                scope = Scope(f"{kind}:{name}", limits, self.world)
            elif scope.rules != limits:
                scope.change(limits)
            scopes[name] = scope
        return scopes


def _nobody() -> None:
    """No background task yet."""
