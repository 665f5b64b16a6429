"""The bounded wait before one backend: admitted at once while there is room, else in fair order.

::

    enter ──room──────────────▶ ADMITTED ──leave──▶ LEFT
      │                            ▲
      └─full─▶ WAITING ──its turn──┘
                  ├── leave (the client went) ─────▶ LEFT
                  └── deadline, or its place goes ─▶ REFUSED: on_turn(NoCapacity)

A turn that waits is told exactly once, by ``on_turn``, unless it left before. Higher priorities go
first, but every so many turns one goes to a lower one, so that nobody starves. Who would wait for
more than half of the deadline, at the pace of now, is refused on arrival: an early no is worth more
than a late one. A full queue gives way to who waits with least: the tenant that holds most loses
its newest. Pure and synchronous; monotonic seconds come from the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from math import ceil
from typing import Final, Protocol

from slipway_gateway.errors import NoCapacity
from slipway_gateway.overload.lanes import Class


class Asker(Protocol):
    """Who wants a turn: the hot path's ``Caller``."""

    @property
    def identity(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def weight(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRule:
    """``waiting``: at most so many turns wait for one backend, each at most ``deadline`` seconds.
    One turn of ``lower_share`` goes to a lower priority while a higher one waits."""

    waiting: int = 1024
    deadline: float = 5.0
    lower_share: int = 16


class State(IntEnum):
    """Where a turn is."""

    WAITING = 0
    ADMITTED = 1
    LEFT = 2
    REFUSED = 3


OnTurn = Callable[[NoCapacity | None], None]
"""Called with None when admitted, with the refusal else. Must not raise."""


class Why(StrEnum):
    """Why a turn was refused."""

    FULL = "full"
    LATE = "late"
    """It waited to its deadline."""
    AHEAD = "ahead"
    """It would have waited too long."""


_MESSAGES: Final = {
    Why.FULL: "too many requests wait for this model; try again later",
    Why.LATE: "no turn came within the time that a request may wait; try again later",
    Why.AHEAD: "more requests wait for this model than can be served in time; try again later",
}
_SMOOTHING: Final = 1 / 32


class Turn:
    """One request's place. ``since``: when it was admitted, or began to wait. ``beside``: of how
    many admitted it was the last."""

    __slots__ = ("beside", "caller", "line", "on_turn", "priority", "since", "state", "tenant")

    def __init__(self, line: Line, state: State, since: float, on_turn: OnTurn) -> None:
        self.line = line
        self.state = state
        self.since = since
        self.on_turn = on_turn
        self.tenant = self.caller = ""
        self.priority = 0
        self.beside = line.busy

    @property
    def admitted(self) -> bool:
        """True from its admission until it leaves."""
        return self.state is State.ADMITTED


class Line:
    """The wait before one backend. ``capacity``: so many are admitted at the same time."""

    __slots__ = (
        "_arrivals", "_classes", "_high_run", "_hold", "_left_at", "busy", "capacity",
        "refused", "rule",
    )  # fmt: skip

    def __init__(self, capacity: int, rule: QueueRule) -> None:
        self.capacity = capacity
        self.rule = rule
        self.busy = 0
        # Since the line began, by why.
        self.refused = dict.fromkeys(Why, 0)
        # In order of arrival, which is the order of deadlines.
        self._arrivals: OrderedDict[Turn, None] = OrderedDict()
        # By priority, highest first; only those with somebody in them.
        self._classes: dict[int, Class[Turn]] = {}
        self._high_run = 0
        # Mean seconds for which a place is held; None until one was left.
        self._hold: float | None = None
        self._left_at = 0.0

    @property
    def waiting(self) -> int:
        """Turns that wait."""
        return len(self._arrivals)

    def enter(self, asker: Asker, now: float, on_turn: OnTurn) -> Turn:
        """A turn, admitted or waiting. Raises NoCapacity."""
        if self.busy < self.capacity and not self._arrivals:
            self.busy += 1
            return Turn(self, State.ADMITTED, now, on_turn)
        return self._wait(asker, now, on_turn)

    def leave(self, turn: Turn, now: float) -> None:
        """The request is over, or does not wait any longer; safe to call twice."""
        state = turn.state
        turn.state = State.LEFT
        if state is State.ADMITTED:
            self.busy -= 1
            hold = self._hold
            held = now - turn.since
            self._hold = held if hold is None else hold + (held - hold) * _SMOOTHING
            if self._arrivals:
                self._left_at = now
                self._admit(now)
        elif state is State.WAITING:
            self._take_out(turn)
        else:
            turn.state = state

    def resize(self, capacity: int, now: float) -> None:
        """From now on so many at once; those who are beyond it finish."""
        self.capacity = capacity
        self._admit(now)

    def expire(self, now: float) -> int:
        """Refuse those who have waited to their deadline; how many they were."""
        refused = 0
        while self._arrivals:
            turn = next(iter(self._arrivals))
            if now - turn.since < self.rule.deadline:
                break
            self._refuse(turn, self._no(Why.LATE, now))
            refused += 1
        return refused

    def _wait(self, asker: Asker, now: float, on_turn: OnTurn) -> Turn:
        caller = asker.identity
        tenant = asker.tenant or caller
        priority = asker.priority
        if self._ahead_of(tenant, caller, priority) * self._gap(now) > self.rule.deadline / 2:
            raise self._no(Why.AHEAD, now)
        loser = None
        if self.waiting >= self.rule.waiting:
            loser = self._gives_way_to(tenant, caller, priority)
            if loser is None:
                raise self._no(Why.FULL, now)
        turn = Turn(self, State.WAITING, now, on_turn)
        turn.tenant, turn.caller, turn.priority = tenant, caller, priority
        if not self._arrivals:
            self._left_at = now
        self._arrivals[turn] = None
        self._class(priority).add(tenant, asker.weight, caller, turn)
        if loser is not None:
            self._refuse(loser, self._no(Why.FULL, now))
        # A resize may have made room that nobody has taken.
        self._admit(now)
        return turn

    def _class(self, priority: int) -> Class[Turn]:
        found = self._classes.get(priority)
        if found is None:
            self._classes[priority] = found = Class(priority)
            ordered = sorted(self._classes.items(), reverse=True)
            self._classes = dict(ordered)
        return found

    def _admit(self, now: float) -> None:
        while self._arrivals and self.busy < self.capacity:
            group = self._next_class()
            turn = group.pop()
            self._forget(turn, group)
            self.busy += 1
            turn.state = State.ADMITTED
            turn.since = now
            turn.beside = self.busy
            turn.on_turn(None)

    def _next_class(self) -> Class[Turn]:
        """The highest, but now and then the next below it that has somebody."""
        groups = list(self._classes.values())
        if len(groups) == 1:
            self._high_run = 0
            return groups[0]
        self._high_run += 1
        if self._high_run < self.rule.lower_share:
            return groups[0]
        self._high_run = 0
        oldest = next(iter(self._arrivals)).priority
        return self._classes[oldest] if oldest != groups[0].priority else groups[1]

    def _take_out(self, turn: Turn) -> None:
        group = self._classes[turn.priority]
        group.remove(turn.tenant, turn.caller, turn)
        self._forget(turn, group)

    def _forget(self, turn: Turn, group: Class[Turn]) -> None:
        del self._arrivals[turn]
        if not group.size:
            del self._classes[group.priority]

    def _refuse(self, turn: Turn, error: NoCapacity) -> None:
        self._take_out(turn)
        turn.state = State.REFUSED
        turn.on_turn(error)

    def _gives_way_to(self, tenant: str, caller: str, priority: int) -> Turn | None:
        """Who loses the place in a full queue; None: who arrives."""
        if not self._classes:
            # Nobody may wait at all.
            return None
        lowest = next(reversed(self._classes.values()))
        if lowest.priority > priority:
            return None
        if lowest.priority < priority:
            return lowest.newest_of_longest()
        return lowest.loser(tenant, caller)

    def _ahead_of(self, tenant: str, caller: str, priority: int) -> int:
        """How many are served before a turn that is taken now, at most."""
        higher = sum(group.size for group in self._classes.values() if group.priority > priority)
        group = self._classes.get(priority)
        own = 0 if group is None else group.ahead(tenant, caller)
        return min(higher + own, (own + 1) * self.rule.lower_share)

    def _gap(self, now: float) -> float:
        """Mean seconds until the next place is free, also when the backend stands still."""
        if self._hold is None or not self._arrivals:
            return 0.0
        silence = (now - self._left_at) * _SMOOTHING
        return max(self._hold / max(1, self.capacity), silence)

    def _no(self, why: Why, now: float) -> NoCapacity:
        """With the time in which those who wait now will have been served."""
        self.refused[why] += 1
        refusal = NoCapacity(_MESSAGES[why])
        refusal.retry_after = min(60, max(1, ceil(self.waiting * self._gap(now))))
        return refusal
