"""Two fixed rules that people know, to compare with: the interval rule and the step rule.

They judge the success rate of the first metric, by the minute, as the tools that they stand for do,
and know no stable version. The simulation shows them beside the product's own judgement; nothing
else uses them.
"""

from __future__ import annotations

import numpy as np

from slipway_verdicts.counts import TICK_SECONDS
from slipway_verdicts.grid import Floats
from slipway_verdicts.policies import Move
from slipway_verdicts.sums import BAD, CANDIDATE, Bools

_MINUTE_TICKS = 60 // TICK_SECONDS
_SUCCESS = 0.99


class IntervalRule:
    """Every minute: success ≥ 99 % raises the weight by 10 up to 50, else a strike; five abort.

    A minute without candidate requests does neither.
    """

    _STRIKES = 5
    _RISE, _TOP = 0.1, 0.5

    def __init__(self, rollouts: int) -> None:
        self._meter = _Meter(rollouts)
        self._strikes = np.zeros(rollouts, dtype=np.int64)
        self._rises = np.ones(rollouts, dtype=np.int64)

    @property
    def weights(self) -> Floats:
        """See ``Policy``."""
        shares: Floats = np.minimum(self._RISE * self._rises, self._TOP)
        return shares

    def tick(self, counts: Floats) -> Move:
        """See ``Policy``."""
        good, bad = self._meter.tick(counts)
        self._strikes += bad
        self._rises += good
        return Move(
            promoted=self._rises * self._RISE > self._TOP + self._RISE / 2,
            aborted=self._strikes >= self._STRIKES,
            stepped=good,
        )

    def keep(self, kept: Bools) -> None:
        """See ``Policy``."""
        self._meter.keep(kept)
        self._strikes, self._rises = self._strikes[kept], self._rises[kept]


class StepRule:
    """20, 40, 60, 80 %, five minutes each; success < 99 % in a minute fails, more than 3 abort.

    Failures add up over the rollout; the measurement at the very end is not waited for.
    """

    _STEPS, _MINUTES, _FAILURES = 4, 5, 3

    def __init__(self, rollouts: int) -> None:
        self._meter = _Meter(rollouts)
        self._failures = np.zeros(rollouts, dtype=np.int64)
        self._minute = 0

    @property
    def weights(self) -> Floats:
        """See ``Policy``."""
        step = min(self._minute // self._MINUTES, self._STEPS - 1)
        return np.full(self._failures.size, (step + 1) / (self._STEPS + 1))

    def tick(self, counts: Floats) -> Move:
        """See ``Policy``."""
        _, bad = self._meter.tick(counts)
        minute, self._minute = self._minute, self._meter.minutes
        ends_step = self._minute > minute and self._minute % self._MINUTES == 0
        over = self._minute >= self._STEPS * self._MINUTES
        self._failures += bad & (not over)
        return Move(
            promoted=np.full(bad.shape, over),
            aborted=self._failures > self._FAILURES,
            stepped=np.full(bad.shape, ends_step),
        )

    def keep(self, kept: Bools) -> None:
        """See ``Policy``."""
        self._meter.keep(kept)
        self._failures = self._failures[kept]


class _Meter:
    """Success over whole minutes of the first metric: (good, bad) at each minute's last tick."""

    def __init__(self, rollouts: int) -> None:
        self._sums = np.zeros((rollouts, 2))
        self._ticks = 0

    @property
    def minutes(self) -> int:
        return self._ticks // _MINUTE_TICKS

    def tick(self, counts: Floats) -> tuple[Bools, Bools]:
        self._ticks += 1
        self._sums += counts[:, 0, CANDIDATE, : BAD + 1]
        if self._ticks % _MINUTE_TICKS:
            nothing: Bools = np.zeros(len(self._sums), dtype=bool)
            return nothing, nothing
        n, bad = self._sums.T
        measured = n > 0
        good = measured & (n - bad >= _SUCCESS * n)
        self._sums = np.zeros_like(self._sums)
        return good, measured & ~good

    def keep(self, kept: Bools) -> None:
        self._sums = self._sums[kept]
