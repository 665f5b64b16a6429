"""The gate: circuit, queue and limit of a backend behind one question."""

from __future__ import annotations

import pytest
from overload_world import Asker
from prometheus_client import CollectorRegistry

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_gateway.errors import NoCapacity
from slipway_gateway.overload.breaker import BreakerRule, Breakers
from slipway_gateway.overload.figures import LoadFigures
from slipway_gateway.overload.gate import Gate, Outcome
from slipway_gateway.overload.limiter import AdaptiveLimits, LimitRule
from slipway_gateway.overload.queue import QueueRule
from slipway_gateway.overload.queues import Queues
from slipway_gateway.overload.retries import RetryBudget
from slipway_telemetry.client import Source

ASKER = Asker(tenant="t")


def gate(start: int = 4, waiting: int = 0) -> Gate:
    limits = AdaptiveLimits(LimitRule(start=start, least=1))
    return Gate(
        Breakers(BreakerRule(in_a_row=2, open_for=1)),
        Queues(limits, QueueRule(waiting=waiting)),
        RetryBudget(),
    )


def enter(gate, now=0.0, **more):
    return gate.enter("http://v1", ASKER, now, lambda refusal: None, **more)


def test_failures_shut_it_and_the_probe_opens_it():
    one = gate()
    for _ in range(2):
        enter(one).end(Outcome.FAILED, 0.1)
    with pytest.raises(NoCapacity) as refusal:
        enter(one, 0.2)
    assert refusal.value.retry_after == 1
    probe = enter(one, 1.2)
    with pytest.raises(NoCapacity):
        enter(one, 1.2)
    probe.end(Outcome.ANSWERED, 1.3)
    assert enter(one, 1.4).turn.admitted


def test_a_candidate_is_asked_whatever_its_circuit_says():
    one = gate()
    for _ in range(2):
        enter(one).end(Outcome.FAILED, 0.1)
    assert enter(one, 0.2, probing=True).turn.admitted


def test_busy_is_no_failure():
    one = gate()
    for _ in range(10):
        enter(one).end(Outcome.BUSY, 0.1)
    assert enter(one, 0.2).turn.admitted


def test_one_prompt_that_fails_again_and_again_shuts_nobody_out():
    one = gate()
    for _ in range(10):
        enter(one).end(Outcome.ERROR, 0.1)
    assert enter(one, 0.2).turn.admitted


def test_a_probe_that_finds_no_place_may_be_taken_anew():
    one = gate(start=1)
    held = enter(one)
    for _ in range(2):
        one.breakers.failed("http://v1", 0.0)
    with pytest.raises(NoCapacity):
        enter(one, 1.5)
    held.end(Outcome.UNKNOWN, 1.6)
    assert enter(one, 1.7).turn.admitted


def test_a_place_is_freed_once_and_what_is_gone_is_forgotten():
    one = gate()
    place = enter(one)
    place.end(Outcome.ANSWERED, 1)
    place.end(Outcome.FAILED, 1)
    one.forget({"http://v2"})
    assert one.queues.lines() == {}


def test_the_figures_name_the_version_of_each_backend():
    one = gate(start=1, waiting=1)
    route = ModelRoute(
        model="demo",
        salt="s",
        backends=(
            BackendRoute(version="v1", weight=90, url="http://v1"),
            BackendRoute(version="v2", weight=10, url="http://v2"),
        ),
    )
    registry = CollectorRegistry()
    registry.register(Source(LoadFigures(one, lambda: [route]).families))
    enter(one)
    enter(one)
    with pytest.raises(NoCapacity):
        enter(one)

    def value(name, **labels):
        found = {"model": "demo", "version": "v1"} | labels
        return registry.get_sample_value(name, found)

    assert value("slipway_queue_waiting") == 1
    assert value("slipway_concurrency_limit") == 1
    assert value("slipway_circuit_open") == 0
    assert value("slipway_queue_refused_total", why="full") == 1
    assert value("slipway_circuit_open", version="v2") == 0
    for _ in range(2):
        one.breakers.failed("http://v1", 0.0)
    assert value("slipway_circuit_open") == 1
    with pytest.raises(NoCapacity):
        enter(one, 0.1)
    assert value("slipway_queue_refused_total", why="circuit") == 1


def learnt(*, stalled: bool) -> int:
    """The line's width after more and more were in flight for as much work."""
    one = gate(start=1000)
    for second, flight in enumerate((50, 50, 400), start=1):
        now = 100.0 * second
        places = [enter(one, now) for _ in range(flight)]
        for place in places:
            place.timed = not stalled
            place.served(now + flight / 50, tokens=100, prompt=10)
            place.end(Outcome.ANSWERED, now + flight / 50)
        one.check(now + 90)
    return one.queues.lines()["http://v1"].capacity


def test_whole_answers_narrow_the_line_where_more_brings_no_more():
    assert 50 <= learnt(stalled=False) < 400


def test_an_answer_that_its_client_held_up_says_nothing():
    assert learnt(stalled=True) == 1000
