"""How many requests a backend is given at once, learnt from what it does with them.

Additive increase, multiplicative decrease (as TCP; compare Netflix's concurrency-limits and Envoy's
adaptive concurrency), with signals that suit language models. A long answer is no sign of load, so
total time is not looked at. What counts: refusals (429, 503, a connection not accepted) and the
time to the first byte, when it rises to several times its own floor while the limit is in use. The
limit starts generous, and latency alone never takes it below ``latency_floor``: prompts that have
become longer look like load. Pure; the caller counts what is in flight and calls ``tick``.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """Bounds and paces. Times in seconds.

    ``tolerance`` and ``slack``: a first byte counts as late above ``floor × tolerance`` and above
    ``floor + slack``. ``drift``: the share by which the floor rises in a window that was slower.
    """

    start: int = 256
    least: int = 16
    most: int = 1024
    latency_floor: int = 64
    cut: float = 0.9
    window: float = 1.0
    samples: int = 20
    tolerance: float = 4.0
    slack: float = 0.25
    drift: float = 0.02


_KEPT = 512


class _Learnt:
    """One backend. ``late``: seconds to the first byte within the present window."""

    __slots__ = ("cut_at", "floor", "late", "limit", "peak", "window_at")

    def __init__(self, start: float) -> None:
        self.limit = start
        self.late: list[float] = []
        self.floor: float | None = None
        self.peak = 0
        self.cut_at = float("-inf")
        self.window_at: float | None = None


class AdaptiveLimits:
    """The limits of every backend. ``busy``: what the backend has in flight, the request too."""

    def __init__(self, rule: LimitRule | None = None) -> None:
        self._rule = rule or LimitRule()
        self._learnt: dict[Hashable, _Learnt] = {}

    def limit(self, backend: Hashable) -> int:
        """At most so many at once, now."""
        learnt = self._learnt.get(backend)
        return self._rule.start if learnt is None else int(learnt.limit)

    def answered(self, backend: Hashable, first_byte: float, busy: int) -> None:
        """The first byte came after so many seconds."""
        learnt = self._learnt.get(backend)
        if learnt is None:
            learnt = self._learnt[backend] = _Learnt(self._rule.start)
        if len(learnt.late) < _KEPT:
            learnt.late.append(first_byte)
        if busy > learnt.peak:
            learnt.peak = busy

    def refused(self, backend: Hashable, now: float, busy: int) -> int:
        """It had no room: cut below what it has now, once a window. Returns the limit."""
        rule = self._rule
        learnt = self._learnt.get(backend)
        if learnt is None:
            learnt = self._learnt[backend] = _Learnt(rule.start)
        # With next to nothing in flight it is down, not full: that is the breaker's to see.
        if busy > rule.least and now - learnt.cut_at >= rule.window:
            learnt.cut_at = now
            learnt.limit = max(rule.least, min(learnt.limit, busy) * rule.cut)
        return int(learnt.limit)

    def tick(self, backend: Hashable, now: float, busy: int) -> int:
        """Call it a few times a second: ends the window when it is time. Returns the limit."""
        learnt = self._learnt.get(backend)
        if learnt is None:
            return self._rule.start
        learnt.peak = max(learnt.peak, busy)
        if learnt.window_at is None:
            learnt.window_at = now
        if now - learnt.window_at >= self._rule.window:
            self._judge(learnt, now)
            learnt.window_at = now
            learnt.late.clear()
            learnt.peak = busy
        return int(learnt.limit)

    def forget(self, existing: Collection[Hashable]) -> None:
        """Keep only these backends."""
        keep = frozenset(existing)
        for backend in [name for name in self._learnt if name not in keep]:
            del self._learnt[backend]

    def _judge(self, learnt: _Learnt, now: float) -> None:
        """One window's end: late under load cuts, a used limit that was borne grows."""
        rule = self._rule
        excess = self._excess(learnt)
        if learnt.peak < learnt.limit / 2 or now - learnt.cut_at < rule.window:
            return
        if excess > 1:
            if learnt.limit > rule.latency_floor:
                cut = max(0.7, 1 / excess)
                learnt.limit = max(rule.latency_floor, learnt.limit * cut)
            return
        grown = learnt.limit + max(sqrt(learnt.limit), learnt.limit / 8)
        learnt.limit = min(rule.most, max(grown, learnt.limit))

    def _excess(self, learnt: _Learnt) -> float:
        """The window's median over what is tolerated; 0 with too few samples."""
        rule = self._rule
        if len(learnt.late) < rule.samples:
            return 0.0
        median = sorted(learnt.late)[len(learnt.late) // 2]
        if learnt.floor is None or median < learnt.floor:
            learnt.floor = median
        tolerated = max(learnt.floor * rule.tolerance, learnt.floor + rule.slack)
        # What lasts becomes the new normal; what passes hardly moves the floor.
        learnt.floor = min(median, learnt.floor * (1 + rule.drift))
        return median / tolerated if tolerated else 0.0
