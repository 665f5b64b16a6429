"""Where more requests at once stop bringing more: learnt from how long whole answers take.

An engine works on so many requests at once; the others wait inside it, first come first served, and
no fairness reaches them there. Time alone does not tell: a batch that fills makes every answer
slower, and serves more. So two things are looked at, a window of answers at a time: ``n``, how many
were in flight beside them, and ``slow``, how many times longer they took than the fastest of their
length. By Little's law ``n / slow`` is the work that is done at once. ``at`` is the number in
flight that is held to be right, and ``work`` what it brings.

::

    more in flight than ``at``, more work     ▶ at = n: a fuller batch is no overload
    more in flight than ``at``, no more work  ▶ limit: what ``at`` was; then it is measured anew
    all is as before, and answers are slow    ▶ a trial with fewer: as much work? at = limit = n
    all is as before, and the limit is used   ▶ a trial with more: more work? at = limit = n
    as many, but less work, or more           ▶ another engine than before: learn anew

What has no limit yet and fails its trial has none after it. A long answer or prompt changes
``slow``, but not what fewer would bring: it costs a short trial now and then. Only answers that
were sent since the limit last changed count. Windows end, and trials begin, at whole seconds of the
wall clock: one gateway that alone sends more gets more, at the others' cost, and would believe that
it pays; together they see what it brings. Pure; monotonic seconds come from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from math import fsum, inf, sqrt
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeRule:
    """Bounds and paces.

    A knee is never below ``least``. A window ends with a second, when it has ``samples``; a
    trial's has twice as many.
    ``pays``: more in flight pays where the work grows by at least this power of it, and fewer are
    as good where it falls by no more. ``other``: by so many times is another number, or another
    work. ``slow``: without a limit, fewer are tried where answers take so many times longer than
    they can. ``near``: nothing is tried with less of ``at`` in flight. ``close``: so near to what
    was too few, fewer are not tried. ``more``: a trial with more; ``much_more``: where the one
    before paid by ``pays_well``, or where other gateways' shares are to be told from it. Trials
    with more begin each ``turn`` seconds; those with fewer ``rest`` seconds after one that brought
    nothing, twice as many each time, up to ``rest_most``. ``memory``: windows that count for what
    ``at`` brings.
    """

    least: float = 8.0
    samples: int = 40
    pays: float = 0.25
    pays_well: float = 0.7
    other: float = 1.2
    slow: float = 1.25
    near: float = 0.9
    close: float = 1.1
    more: float = 1.15
    much_more: float = 1.4
    turn: int = 32
    rest: int = 4
    rest_most: int = 64
    memory: int = 8


NO_LIMIT: Final = 2**30
_BUCKETS: Final = 24
# What an answer costs beside its own tokens, in such tokens: its way, and its prompt.
_WAY: Final = 16.0
_PROMPT: Final = 1 / 64
# Of one length in one window, to believe their mean.
_ENOUGH: Final = 4
_FEWER, _MORE = -1, 1
# Seconds within which all begin a trial with more.
_TURNS: Final = 3


class _Window:
    """Sums over answers; by the binary digits of their length."""

    __slots__ = ("count", "counts", "in_flight", "seconds", "units")

    def __init__(self) -> None:
        self.count = 0
        self.in_flight = 0.0
        self.counts = [0] * _BUCKETS
        self.seconds = [0.0] * _BUCKETS
        self.units = [0.0] * _BUCKETS


class Knee:
    """One backend's."""

    __slots__ = (
        "_before", "_chain", "_changed", "_due", "_few", "_floors", "_next", "_pause", "_raised",
        "_rule", "_second", "_since", "_step", "_trial", "_wall", "_window", "_windows", "at",
        "limit", "peers", "work",
    )  # fmt: skip

    def __init__(self, rule: KneeRule, *, wall: float = 0.0) -> None:
        self._rule = rule
        # Added to a monotonic time it is the wall clock's.
        self._wall = wall
        self.limit = inf
        # Of the last trial: the limit before it.
        self._before = inf
        # Seconds a unit, by length: the least mean of a window.
        self._floors = [inf] * _BUCKETS
        self._window = _Window()
        self._since = self._changed = -inf
        # Gateways before the same engine, this one too.
        self.peers = 1
        self._second = 0
        self._learn_anew(0.0, 0.0)

    def _learn_anew(self, n: float, work: float) -> None:
        """0: with the next window."""
        self.at, self.work = n, work
        self._windows = 1
        # So many brought less: they were too few.
        self._few = 0.0
        self._trial = 0
        # Of the last trial: whether it has brought something, and which is to follow it.
        self._chain = False
        self._next = _FEWER
        self._raised = False
        self._step = self._rule.more if self.peers == 1 else self._rule.much_more
        # Seconds, and the one of the wall clock from which on fewer may be tried.
        self._pause = self._rule.rest
        self._due = 0

    def served(
        self, sent: float, now: float, *, in_flight: float, tokens: int, prompt: int
    ) -> None:
        """A whole answer, to what was sent to the backend at ``sent``."""
        if sent < self._changed:
            return
        window = self._window
        units = _WAY + tokens + prompt * _PROMPT
        bucket = min(int(units).bit_length(), _BUCKETS - 1)
        window.count += 1
        window.in_flight += in_flight
        window.counts[bucket] += 1
        window.seconds[bucket] += now - sent
        window.units[bucket] += units

    def tick(self, now: float) -> None:
        """A few times a second."""
        second = int(now + self._wall)
        if second == self._second:
            return
        self._second = second
        window = self._window
        if not window.count or now - self._since < self._lasts(window):
            return
        slow = self._slowness(window)
        if slow > 0:
            before = self.limit
            n = window.in_flight / window.count
            self._judge(n, n / slow)
            if self.limit != before:
                self._changed = now
        self._window = _Window()
        self._since = now

    def _lasts(self, window: _Window) -> float:
        """Seconds. After a change those that end first are the short ones: it waits for others."""
        rule = self._rule
        if window.count < (2 * rule.samples if self._trial else rule.samples):
            return inf
        if self._since > self._changed:
            return 0.0
        return 3.0 * fsum(window.seconds) / window.count

    def _slowness(self, window: _Window) -> float:
        """How many times longer they took than such answers at their fastest; 0: not known."""
        took = fastest = fastest_before = 0.0
        for bucket in range(_BUCKETS):
            if window.counts[bucket] >= _ENOUGH:
                seconds, units = window.seconds[bucket], window.units[bucket]
                pace = seconds / units
                before = self._floors[bucket]
                floor = self._floors[bucket] = min(before, pace)
                took += seconds
                fastest += floor * units
                fastest_before += (before if before < inf else pace) * units
        if fastest <= 0:
            return 0.0
        # Where they were faster than ever, what was done before was less by the new measure.
        self.work *= fastest / fastest_before
        return took / fastest

    def _judge(self, n: float, work: float) -> None:
        """A window has ended."""
        if not self.work:
            self._learn_anew(n, work)
            return
        trial, self._trial = self._trial, 0
        self._chain = False
        if trial:
            self._tried(trial, n, work)
        elif not self._is_as_before(n, work):
            return
        steady = self._windows >= (3 if self.limit == inf else 2) or self._chain
        if steady and n >= self._rule.near * self.at:
            self._try()

    def _is_as_before(self, n: float, work: float) -> bool:
        """A window without a trial. Only where nothing moves, something can be tried."""
        rule = self._rule
        more, gain = n / self.at, work / self.work
        if more >= rule.other:
            if gain * rule.other < 1:
                # Nobody queues for less work: it has become slower, and therefore more wait for it.
                self._learn_anew(n, work)
            elif gain < more**rule.pays and n > rule.least:
                self.limit = max(rule.least, self.at * max(1.0, gain), n / 2)
                self._learn_anew(0.0, 0.0)
            else:
                self.at, self.work, self._windows = n, work, 1
            return False
        if gain > rule.other or (gain * rule.other < 1 and more >= rule.near):
            self._learn_anew(n, work)
            return False
        if more >= rule.near:
            self._windows = min(self._windows + 1, rule.memory)
            self.work += (work - self.work) / self._windows
        return True

    def _tried(self, trial: int, n: float, work: float) -> None:
        """What a trial has brought."""
        rule = self._rule
        more, gain = n / self.at, work / self.work
        # Who alone of several gateways sends more takes the others' share; that does not pay.
        pays = rule.pays if trial == _FEWER else 1 - (1 - rule.pays) / self.peers
        as_good = gain >= more**pays
        found = as_good and (more > 1.05 if trial == _MORE else more < 0.95)
        self._step = rule.more if self.peers == 1 else rule.much_more
        self._chain = found
        if found:
            if trial == _MORE:
                self._few = max(self._few, self.at)
                if gain >= more**rule.pays_well:
                    self._step = rule.much_more
            self.at, self.work, self._windows = n, work, 1
            self.limit = max(rule.least, n)
            self._next, self._pause = trial, rule.rest
            return
        self.limit, self._next = self._before, _FEWER
        if trial == _FEWER:
            if not self._raised:
                self._next = _MORE
            if not as_good:
                self._few = max(self._few, n)
            self._due = self._second + self._pause
            self._pause = min(self._pause * 2, rule.rest_most)

    def _try(self) -> None:
        """A window with fewer, or with more."""
        rule = self._rule
        too_few = max(self._few, rule.least)
        room = self.at > rule.close * too_few
        self._before = self.limit
        if self.limit == inf:
            if room and self._second >= self._due and self.at >= rule.slow * self.work:
                self._with_fewer(too_few)
        elif self._next == _MORE or self._second % rule.turn < _TURNS:
            self._raised = True
            self.limit = self._step * self.at
            self._trial = _MORE
        elif room and self._second >= self._due:
            self._with_fewer(too_few)

    def _with_fewer(self, too_few: float) -> None:
        """Half-way to what the work says if answers were not slow for another reason."""
        guess = sqrt(max(self.work, too_few) * self.at)
        if guess > 0.95 * self.at:
            guess = sqrt(max(0.64 * self.at, too_few) * self.at)
        self.limit = max(too_few, guess, self.at / 2)
        self._trial = _FEWER


class Knees:
    """Of every backend. ``peers``: how many gateways there are, this one too."""

    def __init__(
        self,
        rule: KneeRule | None = None,
        *,
        wall: float = 0.0,
        peers: Callable[[], int] = lambda: 1,
    ) -> None:
        self._rule = rule or KneeRule()
        self._wall = wall
        self._peers = peers
        self._knees: dict[Hashable, Knee] = {}

    def limit(self, backend: Hashable) -> int:
        """At most so many at once, now."""
        knee = self._knees.get(backend)
        return NO_LIMIT if knee is None or knee.limit == inf else int(knee.limit)

    def of(self, backend: Hashable) -> Knee:
        """Made when it is first asked for."""
        knee = self._knees.get(backend)
        if knee is None:
            knee = self._knees[backend] = Knee(self._rule, wall=self._wall)
        return knee

    def tick(self, backend: Hashable, now: float) -> None:
        """A few times a second."""
        knee = self._knees.get(backend)
        if knee is not None:
            knee.peers = max(1, self._peers())
            knee.tick(now)

    def forget(self, existing: Collection[Hashable]) -> None:
        """Keep only these backends."""
        keep = frozenset(existing)
        for backend in [name for name in self._knees if name not in keep]:
            del self._knees[backend]
