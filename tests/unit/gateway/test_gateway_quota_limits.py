"""Limits in memory: leases, credit, windows, estimates, headers, outages; the test's own clock."""

from __future__ import annotations

import random
from typing import Any

import pytest

from slipway_gateway.errors import NoCapacity, RateLimited
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.limits import Limits
from slipway_store.quotas import Grant, LimitRules, Quota, Sight, Wish

CALLER = Caller(identity="key:k", key_id="k", tenant="acme")
EPOCH = 1_800_000_000.0


class Ledger:
    """PostgreSQL's side, as ``settle_quotas`` does it, in memory."""

    def __init__(self, peers: int = 1) -> None:
        self.peers = peers
        self.used: dict[tuple[str, str, int], int] = {}
        self.slots: dict[tuple[str, str], int] = {}

    def sight(self, now: float) -> Sight:
        return Sight(peers=self.peers, clock=EPOCH + now, used=dict(self.used))

    def settle(self, gateway: str, wishes: list[Wish]) -> list[Grant]:
        return [self._one(gateway, wish) for wish in wishes]

    def _share(self, free: int) -> int:
        if self.peers == 1:
            return max(0, free)
        return max(0, -(-free // (2 * self.peers)))

    def _one(self, gateway: str, wish: Wish) -> Grant:
        key = (wish.scope, wish.quota.value, wish.window)
        taken = self.used.get(key, 0)
        if wish.quota is Quota.CONCURRENCY:
            taken += wish.held - self.slots.get((wish.scope, gateway), 0)
            more = max(wish.want - wish.held, wish.need)
            part = max(0, min(more, self._share(wish.limit - taken)))
            taken += part
            part += wish.held
            self.slots[wish.scope, gateway] = part
        else:
            taken = max(0, taken + wish.charge)
            over = min(taken - wish.limit, wish.charge)
            if over > 0:
                following = (*key[:2], wish.window + 1)
                self.used[following] = self.used.get(following, 0) + min(over, wish.limit)
                taken -= over
            free = wish.limit - taken
            part = max(0, min(free, max(wish.need, min(wish.want, self._share(free)))))
            taken += part
        self.used[key] = taken
        return Grant(
            scope=wish.scope,
            quota=wish.quota,
            window=wish.window,
            granted=part,
            free=wish.limit - taken,
        )


class Gateway:
    """Limits and a hand-driven background task."""

    def __init__(self, ledger: Ledger, name: str = "g", **rules: int) -> None:
        self.ledger, self.name = ledger, name
        self.limits = Limits()
        self.limits.replace(keys={"k": LimitRules(**rules)}, tenants={})
        self.synced = 0.0
        self.sync(0.0)

    def sync(self, now: float) -> None:
        self.limits.saw(self.ledger.sight(now), now)
        wishes = self.limits.wishes(now, now - self.synced)
        self.synced = now
        self.limits.granted(self.ledger.settle(self.name, wishes))

    def enter(self, now: float, **more: Any) -> Any:
        try:
            return self.limits.enter(CALLER, "demo", now, **more)
        except RateLimited:
            return None


def test_without_limits_nothing_is_held() -> None:
    limits = Limits()
    limits.replace(keys={"k": LimitRules()}, tenants={"other": LimitRules(concurrency=1)})
    lease = limits.enter(CALLER, "demo", 0.0)
    assert lease.headers == ()
    lease.settle(1, 1)
    lease.settle(None, None)
    assert limits.enter(CALLER, "demo", 0.0) is lease


def test_one_gateway_alone_is_exact_in_each_window() -> None:
    gateway = Gateway(Ledger(), requests_per_minute=10)
    for window in range(3):
        got = [gateway.enter(60.0 * window + 1 + n / 10) is not None for n in range(20)]
        assert got == [True] * 10 + [False] * 10
        gateway.sync(60.0 * window + 5)


@pytest.mark.parametrize("peers", [2, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_several_together_stay_within_one_per_cent(peers: int, seed: int) -> None:
    """Requests and syncs in random order, a sync for about every ten requests of a gateway."""
    order = random.Random(seed)
    ledger = Ledger(peers)
    gateways = [Gateway(ledger, f"g{n}", requests_per_minute=2000) for n in range(peers)]
    admitted = 0
    for step in range(8000):
        now = 1.0 + step / 200
        gateway = order.choice(gateways)
        admitted += gateway.enter(now) is not None
        if order.random() < 0.1:
            gateway.sync(now)
    assert 1950 <= admitted <= 2020


def test_a_key_and_its_tenant_must_both_agree() -> None:
    limits = Limits()
    limits.replace(
        keys={"k": LimitRules(requests_per_minute=5)},
        tenants={"acme": LimitRules(requests_per_minute=3)},
    )
    limits.saw(Sight(peers=1, clock=EPOCH, used={}), 0.0)
    for _ in range(3):
        limits.enter(CALLER, "demo", 0.0)
    with pytest.raises(RateLimited, match="the tenant acme has reached its limit of 3") as caught:
        limits.enter(CALLER, "demo", 0.0)
    error = caught.value
    assert (error.status, error.code, error.kind) == (429, "rate_limit_exceeded", "requests")
    assert (error.param, error.retry_after) == ("requests_per_minute", 60)
    assert not error.is_leasing
    # The refused call took nothing from the key.
    assert limits.enter(Caller(identity="x", key_id="k"), "demo", 0.0)
    assert limits.enter(Caller(identity="x", key_id="k"), "demo", 0.0)
    with pytest.raises(RateLimited, match="the key k "):
        limits.enter(Caller(identity="x", key_id="k"), "demo", 0.0)


def test_headers_tell_the_tighter_limit() -> None:
    limits = Limits()
    limits.replace(
        keys={"k": LimitRules(requests_per_minute=100, tokens_per_minute=1000)},
        tenants={"acme": LimitRules(requests_per_minute=10)},
    )
    limits.saw(Sight(peers=1, clock=EPOCH + 20.5, used={}), 0.0)
    lease = limits.enter(CALLER, "demo", 0.0, tokens=50)
    assert dict(lease.headers) == {
        b"x-ratelimit-limit-requests": b"10",
        b"x-ratelimit-remaining-requests": b"9",
        b"x-ratelimit-reset-requests": b"40s",
        b"x-ratelimit-limit-tokens": b"1000",
        b"x-ratelimit-remaining-tokens": b"950",
        b"x-ratelimit-reset-tokens": b"40s",
    }


@pytest.mark.parametrize(
    ("settled", "left"),
    [((60, 40), 900), ((None, None), 1000), ((None, 7), 993), ((5000, 1000), 0), ((-5, -5), 1000)],
)
def test_tokens_are_reserved_and_then_corrected(settled: tuple[Any, Any], left: int) -> None:
    gateway = Gateway(Ledger(), tokens_per_minute=1000)
    lease = gateway.enter(1.0, tokens=200)
    assert dict(lease.headers)[b"x-ratelimit-remaining-tokens"] == b"800"
    lease.settle(*settled)
    lease.settle(10**6, 0)
    assert dict(lease.headers)[b"x-ratelimit-remaining-tokens"] == str(left).encode()


def test_what_a_window_gave_too_much_the_next_gives_less() -> None:
    ledger = Ledger()
    gateway = Gateway(ledger, tokens_per_minute=1000)
    gateway.enter(1.0, tokens=100).settle(1500, 0)
    gateway.sync(2.0)
    assert gateway.enter(3.0, tokens=1) is None
    gateway.sync(60.5)
    assert gateway.enter(61.0, tokens=501) is None
    assert gateway.enter(61.0, tokens=500) is not None


def test_an_engine_that_lies_costs_one_window() -> None:
    gateway = Gateway(Ledger(), tokens_per_minute=1000)
    gateway.enter(1.0, tokens=10).settle(10**30, 10**30)
    gateway.sync(2.0)
    gateway.sync(61.0)
    assert gateway.enter(62.0, tokens=1) is None
    gateway.sync(121.0)
    assert gateway.enter(122.0, tokens=1) is not None


def test_estimates_follow_what_requests_take() -> None:
    gateway = Gateway(Ledger(), tokens_per_minute=100_000)
    for _ in range(60):
        gateway.enter(1.0).settle(900, 100)
    before = int(dict(gateway.enter(1.0).headers)[b"x-ratelimit-remaining-tokens"])
    assert 38_900 <= before <= 39_100


def test_a_request_larger_than_a_share_is_admitted_once_there_is_room() -> None:
    ledger = Ledger(peers=4)
    gateway = Gateway(ledger, tokens_per_minute=1000)
    lease = gateway.enter(1.0, tokens=900)
    assert lease is not None
    assert gateway.enter(1.0, tokens=900) is None
    lease.settle(50, 0)
    gateway.sync(1.5)
    gateway.sync(1.6)
    assert gateway.enter(2.0, tokens=900) is not None


def test_slots_are_given_back_however_the_request_ends() -> None:
    gateway = Gateway(Ledger(), concurrency=2)
    leases = [gateway.enter(1.0), gateway.enter(1.0)]
    with pytest.raises(RateLimited, match="2 requests at the same time"):
        gateway.limits.enter(CALLER, "demo", 1.0)
    leases[0].settle(None, None)
    leases[0].settle(None, None)
    assert gateway.enter(1.0) is not None
    assert gateway.enter(1.0) is None


def test_slots_of_several_gateways() -> None:
    ledger = Ledger(peers=2)
    gateways = [Gateway(ledger, name, concurrency=200) for name in ("a", "b")]
    opened = 0
    for step in range(600):
        gateway = gateways[step % 2]
        opened += gateway.enter(1 + step / 100) is not None
        if step % 5 == 0:
            gateway.sync(1 + step / 100)
    assert 196 <= opened <= 202


def test_new_rules_keep_what_was_counted() -> None:
    gateway = Gateway(Ledger(), requests_per_minute=10, concurrency=5)
    open_lease = gateway.enter(1.0)
    for _ in range(3):
        gateway.enter(1.0).settle(None, None)
    gateway.limits.replace(keys={"k": LimitRules(requests_per_minute=6, concurrency=1)}, tenants={})
    assert gateway.enter(1.0) is None
    open_lease.settle(None, None)
    assert [gateway.enter(1.0) is not None for _ in range(1)] == [True]
    gateway.limits.replace(keys={"k": LimitRules()}, tenants={})
    assert not gateway.limits.configured
    assert gateway.enter(1.0).headers == ()


@pytest.mark.parametrize(("policy", "admitted"), [("open", 50), ("closed", 0)])
def test_postgresql_away(policy: str, admitted: int) -> None:
    gateway = Gateway(Ledger(peers=2), requests_per_minute=100)
    gateway.limits.world.away = True
    gateway.limits.world.open_when_away = policy == "open"
    count = 0
    with pytest.raises(RateLimited if policy == "open" else NoCapacity):
        while True:
            gateway.limits.enter(CALLER, "demo", 1.0)
            count += 1
    assert count == admitted


def test_an_idle_lease_goes_back() -> None:
    ledger = Ledger(peers=2)
    gateway = Gateway(ledger, requests_per_minute=1000)
    for step in range(100):
        gateway.enter(1 + step / 100)
        gateway.sync(1 + step / 100)
    (taken,) = ledger.used.values()
    assert taken > 100
    gateway.sync(5.0)
    assert list(ledger.used.values()) == [100]
    assert gateway.limits.wishes(6.0, 1.0) == []


def test_the_next_window_is_leased_before_it_begins() -> None:
    ledger = Ledger(peers=2)
    gateway = Gateway(ledger, requests_per_minute=1000)
    for step in range(100):
        gateway.enter(57 + step / 50)
        gateway.sync(57 + step / 50)
    windows = {window: used for (_, _, window), used in ledger.used.items()}
    current = int(EPOCH // 60)
    assert windows[current] >= 100
    assert windows[current + 1] >= 1


def test_at_exit_nothing_stays_leased() -> None:
    ledger = Ledger(peers=2)
    gateway = Gateway(ledger, requests_per_minute=1000, concurrency=10)
    for step in range(20):
        gateway.enter(1 + step / 10).settle(None, None)
        gateway.sync(1 + step / 10)
    ledger.settle("g", gateway.limits.returns(4.0))
    assert sorted(ledger.used.values()) == [0, 20]
