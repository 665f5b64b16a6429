"""Who raises the weight: Slipway's two modes, or a rule to compare with.

Each steers many simulated rollouts at once: it is told a tick's counts and says which rollouts
ended and which began a new step. The fixed rules are in ``fixed_rules``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from slipway_verdicts import threshold
from slipway_verdicts.counts import TICK_SECONDS
from slipway_verdicts.grid import Floats
from slipway_verdicts.plan import AnalysisPlan
from slipway_verdicts.running import RunningJudge
from slipway_verdicts.sums import BAD, CANDIDATE, Bools, RunningSums


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """After a tick, by rollout: ended well, ended badly, began a step."""

    promoted: Bools
    aborted: Bools
    stepped: Bools


class Policy(Protocol):
    """Steers rollouts; ``weights`` are the candidate's shares for the next tick."""

    @property
    def weights(self) -> Floats: ...

    def tick(self, counts: Floats) -> Move:
        """Counts as ``sums`` documents them."""
        ...

    def keep(self, kept: Bools) -> None:
        """Forget the others."""
        ...


class SequentialPolicy:
    """The product: a step ends when it passed and lasted ``min_step_seconds``."""

    def __init__(
        self,
        plan: AnalysisPlan,
        rollouts: int,
        *,
        min_step_seconds: float,
        before: Floats | None = None,
    ) -> None:
        self._judge = RunningJudge(plan, rollouts, before=before)
        self._shares = np.array(plan.weights) / 100
        self._min_ticks = min_step_seconds / TICK_SECONDS
        self._step = np.zeros(rollouts, dtype=np.int64)
        self._ticks = np.zeros(rollouts, dtype=np.int64)

    @property
    def weights(self) -> Floats:
        """See ``Policy``."""
        shares: Floats = self._shares[np.minimum(self._step, len(self._shares) - 1)]
        return shares

    def tick(self, counts: Floats) -> Move:
        """See ``Policy``."""
        self._ticks += 1
        verdicts = self._judge.update(counts, step=self._step)
        stepped = verdicts.passed & (self._ticks >= self._min_ticks)
        self._step = self._step + stepped
        self._ticks[stepped] = 0
        promoted = self._step >= len(self._shares)
        return Move(promoted=promoted, aborted=verdicts.fail, stepped=stepped)

    def keep(self, kept: Bools) -> None:
        """See ``Policy``."""
        self._judge.keep(kept)
        self._step, self._ticks = self._step[kept], self._ticks[kept]


class ThresholdPolicy:
    """``mode: Threshold`` as ``threshold`` judges it, with the guard.

    ``metrics``: the names along the counts' axis; a bound on another one is left out.
    """

    def __init__(
        self,
        plan: AnalysisPlan,
        rollouts: int,
        *,
        metrics: tuple[str, ...],
        min_step_seconds: float,
    ) -> None:
        self._plan = plan.threshold
        self._bounds = [
            (metrics.index(b.metric), b) for b in plan.threshold.bounds if b.metric in metrics
        ]
        self._sums = RunningSums(rollouts, len(metrics))
        self._shares = np.array(plan.weights) / 100
        self._min_ticks = min_step_seconds / TICK_SECONDS
        self._step, self._ticks = np.zeros((2, rollouts), dtype=np.int64)
        self._interval = np.zeros((rollouts, len(metrics), 2))
        self._failures = np.zeros((rollouts, len(metrics)), dtype=np.int64)
        self._good = np.zeros(rollouts, dtype=bool)

    @property
    def weights(self) -> Floats:
        """See ``Policy``."""
        shares: Floats = self._shares[self._step]
        return shares

    def tick(self, counts: Floats) -> Move:
        """See ``Policy``."""
        self._ticks += 1
        self._sums.add(counts)
        self._interval += counts[:, :, CANDIDATE, : BAD + 1]
        self._close(self._ticks % threshold.interval_ticks(self._plan) == 0)
        over = (self._failures >= self._plan.failure_limit).any(axis=1)
        aborted = np.logical_or(over, self._sums.guarded().any(axis=1))
        passed = self._good & (self._ticks >= self._min_ticks) & ~aborted
        promoted = passed & (self._step == len(self._shares) - 1)
        stepped = passed & ~promoted
        self._enter(stepped)
        return Move(promoted=promoted, aborted=aborted, stepped=stepped)

    def _close(self, closing: Bools) -> None:
        """The interval ends in these rollouts: one measurement a bound."""
        good = np.full(closing.size, bool(self._bounds))
        for index, bound in self._bounds:
            n, bad = self._interval[:, index].T
            measured = threshold.measured(n, self._plan)
            within = threshold.within(n, bad, bound)
            self._failures[:, index] += closing & measured & ~within
            good &= measured & within
        self._good = np.where(closing, good, self._good)
        self._interval[closing] = 0

    def _enter(self, stepped: Bools) -> None:
        self._step = self._step + stepped
        self._sums.enter_step(stepped)
        self._ticks[stepped] = 0
        self._failures[stepped] = 0
        self._interval[stepped] = 0
        self._good &= ~stepped

    def keep(self, kept: Bools) -> None:
        """See ``Policy``."""
        self._sums.keep(kept)
        for name in ("_step", "_ticks", "_interval", "_failures", "_good"):
            setattr(self, name, getattr(self, name)[kept])
