"""The counters of one key or tenant, and how clients are told of them (``x-ratelimit-*``).

Rules can change while requests are open: the counters stay the same objects, so that whoever holds
a lease settles where it entered. Pure; ``limits`` decides which scopes a caller has.
"""

from __future__ import annotations

import math

from slipway_gateway.tenants.meters import Meter
from slipway_gateway.tenants.slots import Slots
from slipway_gateway.tenants.world import World
from slipway_store.quotas import LimitRules, Quota, Wish

Headers = tuple[tuple[bytes, bytes], ...]
_WINDOWED = (Quota.REQUESTS_PER_MINUTE, Quota.TOKENS_PER_MINUTE, Quota.TOKENS_PER_DAY)


class Scope:
    """One key's or tenant's counters. ``word`` is how messages call it.

    ``active``: it has something to tell PostgreSQL, or may have soon; of thousands few are.
    """

    __slots__ = (
        *("active", "meters", "name", "open", "requests", "rules", "slots", "tokens", "word"),
        "world",
    )

    def __init__(self, name: str, rules: LimitRules, world: World) -> None:
        self.name = name
        kind, _, rest = name.partition(":")
        self.word = f"the {kind} {rest}"
        self.world = world
        self.meters: dict[Quota, Meter] = {}
        self.slots: Slots | None = None
        self.active = False
        self.open = 0
        self.change(rules)

    def change(self, rules: LimitRules) -> None:
        """Apply rules; what goes on being limited keeps its counts."""
        self.rules = rules
        for quota in _WINDOWED:
            limit, meter = rules.of(quota), self.meters.get(quota)
            if limit is None:
                self.meters.pop(quota, None)
            elif meter is None:
                self.meters[quota] = Meter(self.name, quota, limit, self.world)
            elif limit != meter.limit:
                free = meter.free + limit - meter.limit
                meter.limit = limit
                meter.learn(free)
        self.requests = self.meters.get(Quota.REQUESTS_PER_MINUTE)
        self.tokens = tuple(meter for meter in self.meters.values() if meter.tokens)
        if rules.concurrency is None:
            self.slots = None
        elif self.slots is None:
            self.slots = Slots(self.name, rules.concurrency, self.world)
        elif self.slots.limit != rules.concurrency:
            free = self.slots.free + rules.concurrency - self.slots.limit
            self.slots.limit = rules.concurrency
            self.slots.learn(free)

    def wishes(self, at: float, elapsed: float) -> list[Wish]:
        """What to tell PostgreSQL now; it stops being active when there is no more."""
        found: list[Wish] = []
        for meter in self.meters.values():
            found += meter.wishes(at, elapsed)
        if self.slots is not None:
            found += self.slots.wishes(at)
        holds = any(meter.holds(at) for meter in self.meters.values())
        self.active = bool(found) or holds or self.open > 0
        return found


def headers_of(scopes: tuple[Scope, ...], at: float) -> Headers:
    """The tightest request and the tightest token limit."""
    found: list[tuple[bytes, bytes]] = []
    requests = [scope.requests for scope in scopes if scope.requests is not None]
    tokens = [meter for scope in scopes for meter in scope.tokens]
    for word, meters in ((b"requests", requests), (b"tokens", tokens)):
        if not meters:
            continue
        meter = min(meters, key=Meter.remaining)
        found += [
            (b"x-ratelimit-limit-" + word, b"%d" % meter.limit),
            (b"x-ratelimit-remaining-" + word, b"%d" % meter.remaining()),
            (b"x-ratelimit-reset-" + word, span(meter.resets_in(at)).encode()),
        ]
    return tuple(found)


def span(seconds: float) -> str:
    """As OpenAI writes it: ``120ms``, ``7s``, ``6m0s``, ``23h59m59s``."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    return text + (f"{minutes}m" if minutes or hours else "") + f"{rest}s"
