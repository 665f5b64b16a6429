"""The wait queue: who is refused, who gives way, and no turn lost or told twice, whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from overload_world import Asker

from slipway_gateway.errors import NoCapacity
from slipway_gateway.overload.limiter import AdaptiveLimits, LimitRule
from slipway_gateway.overload.queue import Line, QueueRule, State
from slipway_gateway.overload.queues import Queues


class Told(list):
    """What ``on_turn`` said."""

    def __call__(self, refusal):
        self.append(refusal)


def asker(tenant="t", priority=0):
    return Asker(tenant=tenant, priority=priority)


def line(capacity=1, **rule):
    return Line(capacity, QueueRule(**rule))


def enter(to, who=None, now=0.0):
    told = Told()
    return to.enter(who or asker(), now, told), told


def test_with_room_it_is_admitted_and_not_called():
    to = line()
    turn, told = enter(to)
    assert turn.admitted
    assert told == []
    to.leave(turn, 1)
    to.leave(turn, 1)
    assert to.busy == 0


def test_who_waits_is_called_once_when_it_is_their_turn():
    to = line()
    first, _ = enter(to)
    second, told = enter(to)
    assert not second.admitted
    to.leave(first, 1)
    assert second.admitted
    assert (told, second.since, to.busy) == ([None], 1, 1)


def test_who_leaves_while_waiting_is_not_called():
    to = line()
    first, _ = enter(to)
    second, told = enter(to)
    to.leave(second, 1)
    to.leave(first, 1)
    assert (told, to.busy, to.waiting) == ([], 0, 0)


def test_the_deadline_refuses_with_a_time_to_come_back():
    to = line(deadline=2)
    enter(to)
    _, told = enter(to, now=1)
    assert to.expire(2.9) == 0
    assert to.expire(3.0) == 1
    (refusal,) = told
    assert isinstance(refusal, NoCapacity)
    assert refusal.status == 503
    assert refusal.retry_after >= 1
    assert to.waiting == 0


def test_a_full_queue_refuses_who_arrives_where_all_hold_as_much():
    to = line(waiting=2)
    enter(to)
    for tenant in "ab":
        enter(to, asker(tenant))
    for tenant in "abc":
        with pytest.raises(NoCapacity):
            enter(to, asker(tenant))
    assert to.waiting == 2


def test_a_full_queue_takes_the_newest_of_who_holds_most():
    to = line(waiting=4)
    enter(to)
    told = [enter(to, asker("noisy"))[1] for _ in range(4)]
    newcomer, _ = enter(to, asker("quiet"))
    assert newcomer.state is State.WAITING
    assert [bool(one) for one in told] == [False, False, False, True]
    assert isinstance(told[3][0], NoCapacity)
    with pytest.raises(NoCapacity):
        enter(to, asker("noisy"))


def test_within_a_tenant_the_key_that_holds_most_loses():
    to = line(waiting=4)
    enter(to)
    told = [enter(to, Asker(tenant="t", identity="noisy"))[1] for _ in range(4)]
    enter(to, Asker(tenant="t", identity="quiet"))
    assert [bool(one) for one in told] == [False, False, False, True]
    with pytest.raises(NoCapacity):
        enter(to, Asker(tenant="t", identity="noisy"))


def test_a_full_queue_gives_way_to_a_higher_priority_and_never_to_a_lower():
    to = line(waiting=2)
    enter(to)
    _, first = enter(to, asker("a", 1))
    _, second = enter(to, asker("b", 0))
    with pytest.raises(NoCapacity):
        enter(to, asker("c", -1))
    enter(to, asker("c", 5))
    assert (bool(first), bool(second)) == (False, True)


def test_who_would_wait_too_long_is_refused_on_arrival():
    to = line(deadline=10)
    turn, _ = enter(to)
    for now in range(0, 300, 3):
        to.leave(turn, now)
        turn, _ = enter(to, now=now)
    enter(to, now=297)
    with pytest.raises(NoCapacity) as refusal:
        for _ in range(10):
            enter(to, now=297)
    assert 3 <= refusal.value.retry_after <= 20
    assert 1 <= to.waiting <= 2


def test_a_wider_line_admits_those_who_wait_and_a_narrower_one_lets_finish():
    to = line(2)
    turns = [enter(to) for _ in range(5)]
    to.resize(4, 0)
    assert [turn.admitted for turn, _ in turns] == [True] * 4 + [False]
    to.resize(1, 0)
    for turn, _ in turns[:3]:
        to.leave(turn, 0)
    assert (to.busy, to.waiting) == (1, 1)
    to.leave(turns[3][0], 0)
    assert turns[4][0].admitted


def test_a_call_may_leave_at_once():
    to = line()
    first, _ = enter(to)
    second = to.enter(asker(), 0, lambda _: to.leave(second, 0))
    third, told = enter(to)
    to.leave(first, 0)
    assert (second.state, third.admitted, told, to.busy) == (State.LEFT, True, [None], 1)


class Lines(RuleBasedStateMachine):
    """Any order of arrivals, departures, expiries and sizes; a model that counts by hand."""

    @initialize(capacity=st.integers(1, 4), waiting=st.integers(0, 12))
    def make(self, capacity, waiting):
        self.line = Line(capacity, QueueRule(waiting=waiting, deadline=5.0, lower_share=3))
        self.now = 0.0
        self.turns = []
        self.shrunk = False

    @rule(
        tenant=st.sampled_from("abcd"),
        key=st.sampled_from("xyz"),
        priority=st.integers(-1, 1),
        weight=st.sampled_from((0.1, 1.0, 8.0)),
    )
    def enter(self, tenant, key, priority, weight):
        told = Told()
        who = Asker(tenant=tenant, identity=key, priority=priority, weight=weight)
        try:
            turn = self.line.enter(who, self.now, told)
        except NoCapacity:
            assert not told
            assert self.line.busy >= self.line.capacity
            return
        self.turns.append((turn, told, turn.admitted))

    @rule(pick=st.integers(0, 1000))
    def leave(self, pick):
        if self.turns:
            turn, _, _ = self.turns[pick % len(self.turns)]
            self.line.leave(turn, self.now)

    @rule(seconds=st.floats(0, 4))
    def wait(self, seconds):
        self.now += seconds
        self.line.expire(self.now)

    @rule(capacity=st.integers(1, 6))
    def resize(self, capacity):
        self.line.resize(capacity, self.now)

    @invariant()
    def nothing_is_lost_or_doubled(self):
        if not hasattr(self, "line"):
            return
        states = [turn.state for turn, _, _ in self.turns]
        assert states.count(State.ADMITTED) == self.line.busy
        assert states.count(State.WAITING) == self.line.waiting
        assert self.line.waiting <= self.line.rule.waiting
        assert not self.line.waiting or self.line.busy >= self.line.capacity
        for turn, told, at_once in self.turns:
            assert len(told) <= 1
            assert not (at_once and told)
            if turn.state is State.WAITING:
                assert not told
                assert self.now - turn.since < self.line.rule.deadline
            elif turn.state is State.REFUSED:
                assert isinstance(told[0], NoCapacity)
            elif turn.state is State.ADMITTED:
                assert at_once or told == [None]


TestLines = Lines.TestCase
TestLines.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


class TestQueues:
    def queues(self, **fields):
        limits = AdaptiveLimits(LimitRule(**{"start": 20, "least": 1, "latency_floor": 1} | fields))
        return Queues(limits, QueueRule(deadline=5))

    def enter(self, queues, backend="v1", now=0.0):
        told = Told()
        return queues.enter(backend, asker(), now, told), told

    def test_a_refusing_backend_gets_less_and_another_one_does_not(self):
        queues = self.queues()
        turns = [self.enter(queues)[0] for _ in range(20)]
        queues.refused("v1", turns[0], 1.0)
        for turn in turns[:2]:
            queues.leave(turn, 1.0)
        assert not self.enter(queues, now=1.0)[0].admitted
        assert self.enter(queues, "v2", now=1.0)[0].admitted
        assert {name: line.waiting for name, line in queues.lines().items()} == {"v1": 1, "v2": 0}

    def test_the_sweep_widens_what_was_borne_and_refuses_at_the_deadline(self):
        queues = self.queues(start=16)
        turns = [self.enter(queues)[0] for _ in range(16)]
        told = [self.enter(queues)[1] for _ in range(3)]
        for _ in range(20):
            queues.answered("v1", turns[0], 0.1)
        queues.sweep(0.2)
        assert told == [[], [], []]
        queues.sweep(1.3)
        assert told == [[None], [None], []]
        queues.forget(())
        queues.sweep(5.1)
        assert isinstance(told[2][0], NoCapacity)

    def test_forgets_backends_that_are_gone_and_empty(self):
        queues = self.queues()
        turn, _ = self.enter(queues)
        self.enter(queues, "v2")
        queues.forget(())
        assert set(queues.lines()) == {"v1", "v2"}
        queues.leave(turn, 1)
        queues.forget(())
        assert set(queues.lines()) == {"v2"}
