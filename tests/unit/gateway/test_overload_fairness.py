"""A noisy tenant in simulated time: the others hardly notice, and nobody starves."""

from __future__ import annotations

import pytest
from overload_world import Asker, Load, World

from slipway_gateway.overload.queue import QueueRule

SECONDS = 300


def answer(random):
    """A generation: 1 s to 3 s."""
    return random.uniform(1.0, 3.0)


def quiet(number, **fields):
    """2 requests a second: 4 of 64 places."""
    return Load(asker=Asker(tenant=f"t{number}", **fields), rate=2.0, service=answer)


def run(loads, *, places=64, seed=1, seconds=SECONDS, **rule):
    world = World(places=places, rule=QueueRule(**rule), seed=seed)
    world.run(loads, seconds)
    for load in loads:
        ended = len(load.latencies) + len(load.refusals) + load.left
        assert ended == load.offered, "a turn was lost"
    assert world.busy_most <= places
    assert world.waiting_most <= world.line.rule.waiting + 1
    assert (world.line.busy, world.line.waiting) == (0, 0)
    return world


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("times", [10, 100])
def test_a_noisy_key_does_not_move_the_others(seed, times):
    calm = [quiet(number) for number in range(10)]
    run(calm, seed=seed)
    loads = [quiet(number) for number in range(10)]
    noisy = Load(asker=Asker(tenant="noisy"), rate=2.0 * times, service=answer)
    run([*loads, noisy], seed=seed)
    assert noisy.refusals
    assert sum(len(load.refusals) for load in loads) == 0
    for before, after in zip(calm, loads, strict=True):
        assert after.p99() <= 1.3 * before.p99()


def test_refusals_under_three_times_the_capacity_come_at_once_and_nothing_is_wasted():
    load = Load(asker=Asker(tenant="one"), rate=96.0, service=answer)
    run([load])
    assert len(load.latencies) >= 0.95 * 32 * SECONDS
    refusals = sorted(load.refusals)
    assert refusals[int(len(refusals) * 0.99)] <= 0.02


def test_weights_share_what_there_is():
    def load(tenant, weight):
        return Load(asker=Asker(tenant=tenant, weight=weight), rate=64, service=answer)

    one, three = load("one", 1.0), load("three", 3.0)
    run([one, three], waiting=200, deadline=60.0)
    assert len(three.latencies) / len(one.latencies) == pytest.approx(3, rel=0.1)


def test_a_high_priority_goes_first_and_a_low_one_is_not_starved():
    high = Load(asker=Asker(tenant="high", priority=1), rate=64, service=answer)
    low = Load(asker=Asker(tenant="low", priority=0), rate=1, service=answer)
    run([high, low], deadline=30.0)
    assert len(low.latencies) == low.offered
    urgent = Load(asker=Asker(tenant="urgent", priority=2), rate=2, service=answer)
    crowd = Load(asker=Asker(tenant="crowd"), rate=96, service=answer)
    run([urgent, crowd])
    assert sorted(urgent.waits)[int(len(urgent.waits) * 0.99)] < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_key_does_not_move_another_key_of_its_own_tenant(seed):
    calm = [quiet(0, identity="key:calm")]
    run(calm, seed=seed)
    loads = [quiet(0, identity="key:calm")]
    noisy = Load(asker=Asker(tenant="t0", identity="key:noisy"), rate=200.0, service=answer)
    run([*loads, noisy], seed=seed, waiting=100)
    assert noisy.refusals
    assert not loads[0].refusals
    assert loads[0].p99() <= 1.3 * calm[0].p99()


def test_of_one_key_who_came_first_is_served_first():
    world = World(places=1, rule=QueueRule(), seed=1)
    order = []
    asker = Asker(tenant="t")
    first = world.line.enter(asker, 0, order.append)
    turns = [
        world.line.enter(asker, 0, lambda _, number=number: order.append(number))
        for number in range(20)
    ]
    for turn in [first, *turns]:
        world.line.leave(turn, 0)
    assert order == list(range(20))


def test_clients_that_lose_patience_leave_nothing_behind():
    loads = [
        Load(asker=Asker(tenant=f"t{n}"), rate=10, service=answer, patience=0.5) for n in range(8)
    ]
    run(loads, places=16, seconds=100)
    assert sum(load.left for load in loads) > 100


def test_a_few_thousand_tenants():
    loads = [
        Load(asker=Asker(tenant="", identity=f"addr:{n}"), rate=0.03, service=answer)
        for n in range(2000)
    ]
    run(loads, seconds=60)
    assert sum(len(load.latencies) for load in loads) >= 0.9 * 32 * 60
