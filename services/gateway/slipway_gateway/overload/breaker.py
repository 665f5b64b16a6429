"""A passive circuit breaker for every backend: who fails again and again is left alone a while.

::

    closed ──failures in a row, or their share of a window──▶ open ──open_for──▶ half-open
      ▲                                                         ▲                   │ one probe
      └───────────────────── it was answered ──────────────────┼───────────────────┤
                                                                └── it failed: twice as long

No request is made for it: real ones are the probes, one at a time. A backend's healthy requests pay
a look-up and a count. Times are monotonic seconds given by the caller; knows no route and no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRule:
    """When a circuit opens, and for how long. Times in seconds.

    ``in_a_row`` failures without a success between them, or ``rate`` of at least ``samples``
    outcomes within ``window``. The first opening lasts ``open_for``; one that follows within a
    ``window`` of the last closing twice as long as the one before, up to ``open_at_most``. A probe
    that nobody reports on is given up after ``probe_for``.
    """

    in_a_row: int = 5
    rate: float = 0.5
    samples: int = 20
    window: float = 10.0
    open_for: float = 1.0
    open_at_most: float = 30.0
    probe_for: float = 30.0


class Circuit(StrEnum):
    """The state of one backend's circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class _Counts:
    """Outcomes of a closed circuit, over one to two half-windows."""

    __slots__ = ("bad", "bad_before", "good", "good_before", "in_a_row", "turns_at")

    def __init__(self) -> None:
        self.good = self.bad = self.good_before = self.bad_before = self.in_a_row = 0
        self.turns_at = float("-inf")

    def turn(self, now: float, half: float) -> None:
        """Another half-window begins; after a pause nothing of the old ones counts."""
        stale = now >= self.turns_at + half
        self.good_before, self.bad_before = (0, 0) if stale else (self.good, self.bad)
        self.good = self.bad = 0
        self.turns_at = now + half


class _Opened:
    """A circuit that is not closed. ``since``: its last opening or probe began then."""

    __slots__ = ("lasts", "probe_until", "since", "until")

    def __init__(self, now: float, lasts: float) -> None:
        self.since = now
        self.lasts = lasts
        self.until = now + lasts
        self.probe_until = float("-inf")


class Breakers:
    """The circuits of every backend, named by whatever tells backends apart."""

    def __init__(self, rule: BreakerRule | None = None) -> None:
        self._rule = rule or BreakerRule()
        self._half = self._rule.window / 2
        self._counts: dict[Hashable, _Counts] = {}
        self._opened: dict[Hashable, _Opened] = {}
        # The last closing of a circuit, and how long it had been open: (at, lasted).
        self._closed: dict[Hashable, tuple[float, float]] = {}

    def allows(self, backend: Hashable, now: float) -> bool:
        """Whether a request may go there. Where a probe is due, asking takes it."""
        opened = self._opened.get(backend)
        if opened is None:
            return True
        if now < opened.until or now < opened.probe_until:
            return False
        opened.since = now
        opened.probe_until = now + self._rule.probe_for
        return True

    def succeeded(self, backend: Hashable, now: float, *, began: float | None = None) -> None:
        """It answered, be it with the client's mistake. ``began``: when the request was allowed;
        what began before the last change says nothing about now."""
        if self._opened and self._closes(backend, now, began):
            return
        counts = self._counts.get(backend)
        if counts is None:
            counts = self._counts[backend] = _Counts()
        if now >= counts.turns_at:
            counts.turn(now, self._half)
        counts.good += 1
        counts.in_a_row = 0

    def failed(
        self, backend: Hashable, now: float, *, began: float | None = None, alive: bool = False
    ) -> None:
        """It was unreachable, too slow or broke off. ``alive``: it did answer, with an error; that
        may be one request's fault, so only their share counts and not how many in a row."""
        opened = self._opened.get(backend)
        if opened is not None:
            if _reports(opened, began):
                self._open(backend, now, opened.lasts * 2)
            return
        counts = self._counts.get(backend)
        if counts is None:
            counts = self._counts[backend] = _Counts()
        if now >= counts.turns_at:
            counts.turn(now, self._half)
        counts.bad += 1
        counts.in_a_row += not alive
        if self._is_bad(counts):
            at, lasted = self._closed.pop(backend, (float("-inf"), 0.0))
            again = now - at <= self._rule.window
            self._open(backend, now, lasted * 2 if again else self._rule.open_for)

    def abandoned(self, backend: Hashable, *, began: float | None = None) -> None:
        """A request ended without an outcome (its client left): a probe may be taken anew."""
        opened = self._opened.get(backend)
        if opened is not None and _reports(opened, began):
            opened.probe_until = float("-inf")

    def retry_after(self, backend: Hashable, now: float) -> float:
        """Seconds until the next probe may be taken; 0 while requests are allowed."""
        opened = self._opened.get(backend)
        if opened is None:
            return 0.0
        if now < opened.probe_until:
            # The probe's answer opens or closes it before its time is up, as a rule.
            return min(self._rule.open_for, opened.probe_until - now)
        return max(0.0, opened.until - now)

    def state(self, backend: Hashable, now: float) -> Circuit:
        """For metrics; takes no probe."""
        opened = self._opened.get(backend)
        if opened is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < opened.until else Circuit.HALF_OPEN

    def is_open(self, backend: Hashable) -> bool:
        """Whether it is anything but closed: for metrics."""
        return backend in self._opened

    def forget(self, existing: Collection[Hashable]) -> None:
        """Keep only these backends."""
        keep = frozenset(existing)
        for held in (self._counts, self._opened, self._closed):
            for backend in [name for name in held if name not in keep]:
                del held[backend]

    def _closes(self, backend: Hashable, now: float, began: float | None) -> bool:
        """True where the circuit was not closed: its probe closes it, anything else is old news."""
        opened = self._opened.get(backend)
        if opened is None:
            return False
        if _reports(opened, began):
            del self._opened[backend]
            self._closed[backend] = (now, opened.lasts)
        return True

    def _open(self, backend: Hashable, now: float, lasts: float) -> None:
        self._counts.pop(backend, None)
        lasts = min(lasts, self._rule.open_at_most)
        self._opened[backend] = _Opened(now, lasts)

    def _is_bad(self, counts: _Counts) -> bool:
        rule = self._rule
        if counts.in_a_row >= rule.in_a_row:
            return True
        bad = counts.bad + counts.bad_before
        seen = bad + counts.good + counts.good_before
        return seen >= rule.samples and bad >= rule.rate * seen


def _reports(opened: _Opened, began: float | None) -> bool:
    """Whether an outcome is the probe's: one is out, and the request is not older than it."""
    probing = opened.probe_until != float("-inf")
    return probing and (began is None or began >= opened.since)
