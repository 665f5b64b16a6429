"""The queues of every backend, each as wide as what the backend has shown that it bears.

The one place where ``Line`` (who is next) meets ``AdaptiveLimits`` (how many at once). The hot path
calls ``enter``, ``answered`` or ``refused``, and ``leave``; the sweep of deadlines calls ``sweep``.
Pure and synchronous; monotonic seconds come from the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping

from slipway_gateway.overload.limiter import AdaptiveLimits
from slipway_gateway.overload.queue import Asker, Line, OnTurn, QueueRule, Turn


class Queues:
    """By whatever tells backends apart, the same as the limits and breakers are asked for."""

    def __init__(self, limits: AdaptiveLimits, rule: QueueRule | None = None) -> None:
        self._limits = limits
        self._rule = rule or QueueRule()
        self._lines: dict[Hashable, Line] = {}

    def enter(self, backend: Hashable, asker: Asker, now: float, on_turn: OnTurn) -> Turn:
        """A turn: ``admitted`` at once, or told later by ``on_turn``. Raises NoCapacity."""
        line = self._lines.get(backend)
        if line is None:
            line = self._lines[backend] = Line(self._limits.limit(backend), self._rule)
        return line.enter(asker, now, on_turn)

    def answered(self, backend: Hashable, turn: Turn, now: float) -> None:
        """The answer's first byte has come."""
        self._limits.answered(backend, now - turn.since, turn.line.busy)

    def refused(self, backend: Hashable, turn: Turn, now: float) -> None:
        """The backend had no room: 503, 429, or a connection that it did not accept."""
        line = turn.line
        limit = self._limits.refused(backend, now, line.busy)
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
            limit = self._limits.tick(backend, now, line.busy)
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
        self._limits.forget({*keep, *self._lines})
