"""The knee: what waits inside an engine is found, and an engine that only has more to do is not."""

from __future__ import annotations

from math import inf
from statistics import mean

import pytest
from engine_world import Engine, World
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_gateway.overload.knee import NO_LIMIT, Knee, KneeRule, Knees

# Seconds that learning may take.
LEARNS = 30
SEEDS = range(1, 6)


def in_flight(seconds):
    return mean(second.in_flight for second in seconds)


def answers(seconds):
    return mean(second.answers for second in seconds)


def took(seconds):
    return mean(second.took for second in seconds)


def quietly(engine, seed, **more):
    """A world that has seen the engine with a third to do."""
    world = World(engine, seed=seed, **more)
    world.run(15, engine.most(100) / 3)
    return world


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slots", [32, 128, 400])
def test_finds_the_slots_of_an_engine_that_queues_inside(slots, seed):
    engine = Engine(slots=slots)
    world = quietly(engine, seed)
    world.run(LEARNS, 2 * engine.most(100))
    after = world.run(60, 2 * engine.most(100))
    assert answers(after) >= 0.96 * engine.most(100)
    assert in_flight(after) <= 1.2 * slots


@pytest.mark.parametrize("seed", SEEDS)
def test_keeps_what_it_has_learnt_for_the_next_time(seed):
    engine = Engine(slots=128)
    world = quietly(engine, seed)
    world.run(LEARNS, 500)
    world.run(60, 80)
    again = world.run(10, 500)
    assert max(second.in_flight for second in again) <= 1.3 * 128


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fuller_batch_that_serves_more_is_no_overload(seed):
    """Answers take 3.6 times as long as alone: all 256 are worth it."""
    engine = Engine(slots=256, batch=0.01)
    world = quietly(engine, seed)
    world.run(90, 1.5 * engine.most(100))
    after = world.run(60, 1.5 * engine.most(100))
    assert answers(after) >= 0.93 * engine.most(100)
    assert in_flight(after) <= 1.3 * 256


@pytest.mark.parametrize("seed", SEEDS)
def test_with_room_for_all_there_is_no_limit_for_long(seed):
    """Nine in ten of what it can do: a trial now and then, and hardly anybody waits for it."""
    engine = Engine(slots=128, batch=0.002)
    world = quietly(engine, seed)
    busy = world.run(120, 0.8 * engine.most(100))
    assert answers(busy[5:]) >= 0.97 * 0.8 * engine.most(100)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", ["answers", "prompts"])
def test_long_ones_are_no_overload(change, seed):
    """From one second to the next they take much longer; the engine has room."""
    engine = Engine(slots=256)
    world = quietly(engine, seed)
    if change == "answers":
        world.tokens = lambda _: (500, 1500)
    else:
        engine.first = 2.0
    rate = 0.6 * 256 / engine.seconds(1000 if change == "answers" else 100)
    world.run(30, rate)
    after = world.run(120, rate)
    assert answers(after) >= 0.95 * rate


@pytest.mark.parametrize("seed", SEEDS)
def test_follows_an_engine_that_loses_replicas_and_gets_them_back(seed):
    engine = Engine(slots=128)
    world = quietly(engine, seed)
    world.run(LEARNS, 500)
    engine.slots = 64
    world.run(2 * LEARNS, 500)
    fewer = world.run(20, 500)
    assert in_flight(fewer) <= 1.3 * 64
    assert answers(fewer) >= 0.95 * engine.most(100)
    engine.slots = 128
    world.run(3 * LEARNS, 500)
    again = world.run(20, 500)
    assert answers(again) >= 0.95 * engine.most(100)


@pytest.mark.parametrize("seed", SEEDS)
def test_several_gateways_find_it_together(seed):
    """Less exactly than one: each sees only its own part."""
    engine = Engine(slots=128)
    world = quietly(engine, seed, gateways=3)
    world.run(LEARNS, 500)
    after = world.run(120, 500)
    assert in_flight(after) <= 2 * 128
    assert answers(after) >= 0.96 * engine.most(100)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_that_starts_in_the_middle_of_an_overload_finds_it_too(seed):
    engine = Engine(slots=128)
    world = World(engine, seed=seed)
    world.run(2 * LEARNS, 500)
    after = world.run(60, 500)
    assert in_flight(after) <= 1.3 * 128
    assert answers(after) >= 0.95 * engine.most(100)


def test_few_in_flight_are_never_limited():
    world = quietly(Engine(slots=4), 1)
    world.run(300, 30)
    assert min(second.limits[0] for second in world.seconds) >= KneeRule().least


def test_answers_of_before_a_change_do_not_count():
    knee = Knee(KneeRule(samples=1))
    for second in range(1, 4):
        for _ in range(50):
            knee.served(second - 0.5, second, in_flight=10, tokens=100, prompt=0)
        knee.tick(second)
    for second in range(4, 8):
        for _ in range(50):
            knee.served(second - 50, second, in_flight=1000, tokens=100, prompt=0)
        knee.tick(second)
    cut = knee.limit
    assert cut < 1000
    for _ in range(5000):
        knee.served(0, 100, in_flight=1000, tokens=100, prompt=0)
    knee.tick(100)
    assert knee.limit == cut


def test_backends_are_apart_and_forgotten():
    knees = Knees()
    assert knees.limit("v1") == NO_LIMIT
    knees.of("v1").limit = 20.5
    assert (knees.limit("v1"), knees.limit("v2")) == (20, NO_LIMIT)
    knees.tick("v2", 1)
    knees.forget(["v2"])
    assert knees.limit("v1") == NO_LIMIT


def test_how_many_gateways_there_are_is_asked_anew():
    there = [3]
    knees = Knees(peers=lambda: there[0])
    knee = knees.of("v1")
    for there[0], expected in ((3, 3), (2, 2), (0, 1)):
        knees.tick("v1", 1)
        assert knee.peers == expected


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 200),
            st.floats(0.5, 3000),
            st.floats(0, 600),
            st.integers(0, 10**7),
            st.integers(0, 10**7),
        ),
        max_size=60,
    )
)
def test_whatever_answers_say_the_limit_is_a_sane_number(windows):
    knee, now = Knee(KneeRule()), 0.0
    for count, flight, seconds, tokens, prompt in windows:
        now += 1.5
        for _ in range(count):
            knee.served(now - seconds, now, in_flight=flight, tokens=tokens, prompt=prompt)
        knee.tick(now)
        assert knee.limit == inf or KneeRule().least <= knee.limit <= 1.4 * 3000
        assert knee.at >= 0
        assert knee.work >= 0
