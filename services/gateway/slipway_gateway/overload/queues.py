"""The queues of every backend, each as wide as what the backend has shown that it bears.

The one place where ``Line`` (who is next) meets ``AdaptiveLimits`` and ``Knees`` (how many at once:
whichever is less). The hot path calls ``enter``, ``answered``, ``served`` or ``refused``, and
``leave``; the sweep of deadlines calls ``sweep``. Pure and synchronous; monotonic seconds come from
the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping

from slipway_gateway.overload.knee import Knees
from slipway_gateway.overload.limiter import AdaptiveLimits
from slipway_gateway.overload.queue import Asker, Line, OnTurn, QueueRule, Turn


class Queues:
    """By whatever tells backends apart, the same as the limits and breakers are asked for."""

    def __init__(
        self, limits: AdaptiveLimits, rule: QueueRule | None = None, *, knees: Knees | None = None
    ) -> None:
        self._limits = limits
        self._knees = knees or Knees()
        self._rule = rule or QueueRule()
        self._lines: dict[Hashable, Line] = {}

    def enter(self, backend: Hashable, asker: Asker, now: float, on_turn: OnTurn) -> Turn:
        """A turn: ``admitted`` at once, or told later by ``on_turn``. Raises NoCapacity."""
        line = self._lines.get(backend)
        if line is None:
            line = self._lines[backend] = Line(self._limit(backend), self._rule)
        return line.enter(asker, now, on_turn)

    def answered(self, backend: Hashable, turn: Turn, now: float) -> None:
        """The answer's first byte has come."""
        self._limits.answered(backend, now - turn.since, turn.line.busy)

    def served(
        self, backend: Hashable, turn: Turn, now: float, *, tokens: int, prompt: int
    ) -> None:
        """The whole answer has come, as fast as the backend could."""
        in_flight = (turn.beside + turn.line.busy) / 2
        knee = self._knees.of(backend)
        knee.served(turn.since, now, in_flight=in_flight, tokens=tokens, prompt=prompt)

    def refused(self, backend: Hashable, turn: Turn, now: float) -> None:
        """The backend had no room: 503, 429, or a connection that it did not accept."""
        line = turn.line
        self._limits.refused(backend, now, line.busy)
        limit = self._limit(backend)
        if limit != line.capacity:
            line.resize(limit, now)

    def leave(self, turn: Turn, now: float) -> None:
        """The attempt is over, or nobody waits for it any more; safe to call twice."""
        turn.line.leave(turn, now)

    def sweep(self, now: float) -> None:
        """A few times a second: deadlines and limits."""
        for backend, line in tuple(self._lines.items()):
            if line.waiting:
                line.expire(now)
            self._limits.tick(backend, now, line.busy)
            self._knees.tick(backend, now)
            limit = self._limit(backend)
            if limit != line.capacity:
                line.resize(limit, now)

    def lines(self) -> Mapping[Hashable, Line]:
        """For metrics: read them, and leave them."""
        return self._lines

    def forget(self, existing: Collection[Hashable]) -> None:
        """Keep these, and those that somebody is still in."""
        keep = frozenset(existing)
        gone = [
            backend
            for backend, line in self._lines.items()
            if backend not in keep and not line.busy and not line.waiting
        ]
        for backend in gone:
            del self._lines[backend]
        kept = {*keep, *self._lines}
        self._limits.forget(kept)
        self._knees.forget(kept)

    def _limit(self, backend: Hashable) -> int:
        return min(self._limits.limit(backend), self._knees.limit(backend))
