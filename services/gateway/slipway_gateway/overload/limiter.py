"""How many requests a backend is given at once, learnt from what it does with them.

Additive increase, multiplicative decrease (as TCP; compare Netflix's concurrency-limits and Envoy's
adaptive concurrency), with signals that suit language models. A long answer is no sign of load, so
total time is not looked at. What counts: refusals (429, 503, a connection not accepted) and the
time to the first byte, when it rises above its own floor while the limit is in use. Up to
``start``, which is trusted, the limit comes back unless first bytes are far too late, slowly where
they are late at all; beyond it, it grows only while they are on time. Latency alone never takes it
below ``latency_floor``: what is late even there is not late for load, but because prompts have
become longer, and becomes the new floor. Pure; the caller counts what is in flight and calls
``tick``.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """Bounds and paces. Times in seconds.

    A first byte is late above ``floor × tolerance`` and above ``floor + slack``, and cuts; it is on
    time below ``floor × calm`` or ``floor + calm_slack``. ``drift``: the share by which the floor
    rises in a window that was slower for another reason than load. A window is judged when it has
    ``samples``, or after ``patience`` windows without.
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
    calm: float = 1.3
    calm_slack: float = 0.02
    patience: int = 10
    drift: float = 0.05


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
        if self._is_over(learnt, now):
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

    def _is_over(self, learnt: _Learnt, now: float) -> bool:
        """A window is; below ``start`` it does not wait for samples."""
        rule = self._rule
        lasted = now - (learnt.window_at or 0.0)
        if len(learnt.late) >= rule.samples or learnt.limit < rule.start:
            return lasted >= rule.window
        return lasted >= rule.window * rule.patience

    def _judge(self, learnt: _Learnt, now: float) -> None:
        """One window's end: late under load cuts, a used limit that was borne grows."""
        rule = self._rule
        median = _median(learnt.late) if len(learnt.late) >= rule.samples else None
        used = learnt.peak >= learnt.limit / 2
        if median is not None and (learnt.floor is None or median < learnt.floor):
            learnt.floor = median
        if not used or now - learnt.cut_at < rule.window:
            if not used:
                self._drift(learnt, median)
        elif median is None or learnt.floor is None:
            # Nothing is known of first bytes: what was cut comes back, and no more.
            _grow(learnt, learnt.limit / 8, rule.start)
        elif median > (late := max(learnt.floor * rule.tolerance, learnt.floor + rule.slack)):
            self._cut(learnt, median, late)
        elif median <= max(learnt.floor * rule.calm, learnt.floor + rule.calm_slack):
            _grow(learnt, learnt.limit / 8, rule.most)
        else:
            _grow(learnt, learnt.limit / 32, rule.start)

    def _cut(self, learnt: _Learnt, median: float, late: float) -> None:
        lowest = min(self._rule.latency_floor, self._rule.start)
        if learnt.limit <= lowest:
            self._drift(learnt, median)
        else:
            learnt.limit = max(lowest, learnt.limit * max(0.7, late / median))

    def _drift(self, learnt: _Learnt, median: float | None) -> None:
        if median is not None and learnt.floor is not None:
            learnt.floor = min(median, learnt.floor * (1 + self._rule.drift))


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _grow(learnt: _Learnt, step: float, bound: float) -> None:
    learnt.limit = max(learnt.limit, min(learnt.limit + max(1.0, step), bound))
