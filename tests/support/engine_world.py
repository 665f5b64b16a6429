"""An engine with so many slots behind a gateway's limit, in simulated time.

What is beyond the slots waits inside the engine, first come first served; a fuller batch makes each
answer slower by ``batch`` of its time for every answer beside it. Arrivals are Poisson, lengths are
drawn from the seed. Several gateways may share the engine, each with a knee of its own.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from slipway_gateway.overload.knee import Knee, KneeRule

# What a gateway admits without a knee, and how many wait in it.
MOST, WAITING = 1024, 1024


@dataclass(kw_only=True)
class Engine:
    """``first`` and ``token``: seconds of one answer alone."""

    slots: int
    first: float = 0.1
    token: float = 0.004
    batch: float = 0.0
    running: int = 0
    waiting: deque[Asked] = field(default_factory=deque)

    def seconds(self, tokens: int) -> float:
        """Of an answer that begins now."""
        return self.first + tokens * self.token * (1 + self.batch * self.running)

    def most(self, tokens: float) -> float:
        """Answers a second, at best."""
        return self.slots / (self.first + tokens * self.token * (1 + self.batch * self.slots))


@dataclass(kw_only=True, eq=False)
class Asked:
    """One request."""

    gateway: int
    tokens: int
    sent: float = 0.0
    beside: int = 0


@dataclass(frozen=True, kw_only=True)
class Second:
    """What was so at its end, and answers and their mean seconds at the engine within it."""

    at: int
    in_flight: int
    limits: tuple[float, ...]
    answers: int
    took: float


class World:
    """``tokens``: the shortest and longest answer at a time. ``run`` may be called again."""

    def __init__(self, engine: Engine, *, seed: int, gateways: int = 1) -> None:
        self.engine = engine
        self.tokens: Callable[[float], tuple[int, int]] = lambda _: (50, 150)
        self.prompt = 0
        self.knees = [Knee(KneeRule()) for _ in range(gateways)]
        for knee in self.knees:
            knee.peers = gateways
        self.seconds: list[Second] = []
        self._busy = [0] * gateways
        self._queues: list[deque[Asked]] = [deque() for _ in range(gateways)]
        self._random = random.Random(seed)
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._took: list[float] = []
        self._tenths = 0

    def run(self, seconds: float, rate: float) -> list[Second]:
        """So many a second, for so long."""
        until, seen = self._now + seconds, len(self.seconds)

        def arrive() -> None:
            gateway = self._random.randrange(len(self.knees))
            queue = self._queues[gateway]
            tokens = self._random.randint(*self.tokens(self._now))
            if len(queue) < WAITING // len(self.knees):
                queue.append(Asked(gateway=gateway, tokens=tokens))
                self._admit(gateway)
            following = self._now + self._random.expovariate(rate)
            if following < until:
                self._at(following, arrive)

        self._at(self._now, arrive)
        while self._events and self._events[0][0] < until:
            when, _, what = heapq.heappop(self._events)
            self._tick(when)
            self._now = when
            what()
        self._tick(until)
        return self.seconds[seen:]

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what))

    def _tick(self, until: float) -> None:
        """The gateways' sweeps up to then, ten a second."""
        while self._tenths / 10 <= until:
            self._now = self._tenths / 10
            for gateway, knee in enumerate(self.knees):
                knee.tick(self._now)
                self._admit(gateway)
            self._tenths += 1
            if self._tenths % 10 == 0:
                self._note()

    def _note(self) -> None:
        took, self._took = self._took, []
        self.seconds.append(
            Second(
                at=self._tenths // 10,
                in_flight=sum(self._busy),
                limits=tuple(knee.limit for knee in self.knees),
                answers=len(took),
                took=sum(took) / len(took) if took else 0.0,
            )
        )

    def _admit(self, gateway: int) -> None:
        queue = self._queues[gateway]
        while queue and self._busy[gateway] < int(min(self.knees[gateway].limit, MOST)):
            asked = queue.popleft()
            self._busy[gateway] += 1
            asked.sent, asked.beside = self._now, self._busy[gateway]
            if self.engine.running < self.engine.slots:
                self._begin(asked)
            else:
                self.engine.waiting.append(asked)

    def _begin(self, asked: Asked) -> None:
        self.engine.running += 1
        self._at(self._now + self.engine.seconds(asked.tokens), lambda: self._end(asked))

    def _end(self, asked: Asked) -> None:
        engine, gateway = self.engine, asked.gateway
        engine.running -= 1
        while engine.waiting and engine.running < engine.slots:
            self._begin(engine.waiting.popleft())
        self.knees[gateway].served(
            asked.sent,
            self._now,
            in_flight=(asked.beside + self._busy[gateway]) / 2,
            tokens=asked.tokens,
            prompt=self.prompt,
        )
        self._busy[gateway] -= 1
        self._took.append(self._now - asked.sent)
        self._admit(gateway)
