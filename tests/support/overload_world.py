"""A backend with so many places and seeded callers, in simulated time: what a queue does to them.

A discrete-event simulation: arrivals are Poisson, service times are drawn from the seed, and each
caller's latencies, refusals and admissions are counted. Runs thousands of seconds in one.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from slipway_gateway.errors import NoCapacity
from slipway_gateway.overload.queue import Line, QueueRule, Turn


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks, as the hot path's Caller."""

    tenant: str
    identity: str = "key:1"
    priority: int = 0
    weight: float = 1.0


@dataclass(kw_only=True)
class Load:
    """One caller: so many requests a second, each served in ``service(random)`` seconds."""

    asker: Asker
    rate: float
    service: Callable[[random.Random], float]
    patience: float = float("inf")
    offered: int = 0
    latencies: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    left: int = 0

    def p99(self) -> float:
        """Of the answered requests' latencies."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


class World:
    """One line and its callers. ``run`` once; then the loads hold what happened."""

    def __init__(self, *, places: int, rule: QueueRule, seed: int) -> None:
        self.line = Line(places, rule)
        self.busy_most = 0
        self.waiting_most = 0
        self.clock = 0.0
        self._random = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = count()

    def at(self, when: float, what: Callable[[float], None]) -> None:
        """Do it then."""
        heapq.heappush(self._events, (when, next(self._numbers), what))

    def run(self, loads: list[Load], seconds: float) -> None:
        """Until every request of these seconds has ended."""
        for load in loads:
            self.at(self._random.expovariate(load.rate), self._arrivals(load, seconds))
        tick = 0.1
        while self._events:
            now, _, what = heapq.heappop(self._events)
            while tick <= now:
                self.clock = tick
                self.line.expire(tick)
                tick += 0.1
            self.clock = now
            what(now)
            self.busy_most = max(self.busy_most, self.line.busy)
            self.waiting_most = max(self.waiting_most, self.line.waiting)
            if not self._events and self.line.waiting:
                self.at(now + 0.1, lambda _: None)

    def _arrivals(self, load: Load, until: float) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            load.offered += 1
            self._ask(load, now)
            following = now + self._random.expovariate(load.rate)
            if following < until:
                self.at(following, arrive)

        return arrive

    def _ask(self, load: Load, came: float) -> None:
        turn: Any = None
        told: list[bool] = []

        def begin(now: float) -> None:
            load.waits.append(now - came)
            self.at(now + load.service(self._random), finish)

        def finish(now: float) -> None:
            load.latencies.append(now - came)
            self.line.leave(turn, now)

        def on_turn(refusal: NoCapacity | None) -> None:
            assert not told, "a turn was told twice"
            told.append(True)
            now = self.clock
            if refusal is not None:
                load.refusals.append(now - came)
            else:
                begin(now)

        try:
            turn = self.line.enter(load.asker, came, on_turn)
        except NoCapacity as refusal:
            assert refusal.retry_after is not None
            assert 1 <= refusal.retry_after <= 60
            load.refusals.append(0.0)
            return
        if turn.admitted and not told:
            begin(came)
        elif load.patience < float("inf"):
            self.at(came + load.patience, self._give_up(load, turn, told))

    def _give_up(self, load: Load, turn: Turn, told: list[bool]) -> Callable[[float], None]:
        def give_up(now: float) -> None:
            if not told:
                load.left += 1
                self.line.leave(turn, now)

        return give_up
