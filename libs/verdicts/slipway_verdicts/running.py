"""``judge``, tick by tick and for many rollouts at once: what the simulation runs.

The same functions as ``judge`` on arrays whose first axis is the rollout, keeping running sums
instead of whole paths; a test holds it equal to ``judge`` at every tick. Metrics are judged as in
the sequential mode; gauges and errors do not occur in simulated traffic.
Counts have the shape that ``sums`` documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts import absolute, ratio, restarted, sequential, stable_arm
from slipway_verdicts.grid import GRID, Floats, log_mean_exp
from slipway_verdicts.plan import AnalysisPlan, MetricRule
from slipway_verdicts.sums import (
    BAD,
    CANDIDATE,
    RISK_BAD,
    RISK_N,
    STABLE,
    Bools,
    N,
    RunningSums,
    arms,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Of each rollout after a tick. ``log_e`` is Fail's highest, (rollouts, metrics)."""

    fail: Bools
    guard: Bools
    passed: Bools
    fail_log_e: Floats


class RunningJudge:
    """State of ``rollouts`` rollouts under one plan; ``update`` once a tick, ``keep`` to drop some.

    ``before``: stable's uncapped (requests, bad events) from before the rollout, of shape
    (rollouts, metrics, 2); None: the earlier steps' ticks.
    """

    def __init__(self, plan: AnalysisPlan, rollouts: int, *, before: Floats | None = None) -> None:
        metrics = len(plan.rules)
        self._plan = plan
        self._limit = sequential.fail_threshold(plan)
        self._pass_limits = -np.log(np.array(plan.betas))
        self._before = before
        self._minute = -1
        self._tick = -1
        self._sums = RunningSums(rollouts, metrics)
        self._step = np.zeros(rollouts, dtype=np.int64)
        paths = (rollouts, metrics, GRID.size)
        self._worse, self._bad = np.full(paths, -np.inf), np.full(paths, -np.inf)
        self._relative, self._alone = np.zeros(paths), np.zeros(paths)
        self._highest = np.full((rollouts, metrics), -np.inf)
        self._guarded = np.zeros((rollouts, metrics), dtype=bool)

    def keep(self, kept: Bools) -> None:
        """Forget the rollouts that ``kept`` does not pick."""
        for name in ("_step", "_worse", "_bad", "_relative", "_alone", "_highest", "_guarded"):
            setattr(self, name, getattr(self, name)[kept])
        self._sums.keep(kept)
        self._before = None if self._before is None else self._before[kept]

    def update(self, counts: Floats, *, step: NDArray[np.int64]) -> Verdicts:
        """One closed tick; ``step`` of each rollout, of shape (rollouts,)."""
        self._tick += 1
        self._enter(step)
        self._sums.add(counts)
        self._guarded |= self._sums.guarded()
        self._fail(counts)
        self._pass(counts)
        fail: Bools = ((self._highest >= self._limit) | self._guarded).any(axis=1)
        return Verdicts(
            fail=fail,
            guard=np.asarray(self._guarded.any(axis=1)),
            passed=self._passed() & ~fail,
            fail_log_e=self._highest.copy(),
        )

    def _enter(self, step: NDArray[np.int64]) -> None:
        new = step != self._step
        self._relative[new] = 0
        self._alone[new] = 0
        self._sums.enter_step(new)
        self._step = step.copy()

    def _fail(self, counts: Floats) -> None:
        before, now = self._minute, self._tick // restarted.RESTART_TICKS
        if now > before:
            started = restarted.log_started(np.array(before), np.array(now))
            np.logaddexp(self._worse, started, out=self._worse)
            np.logaddexp(self._bad, started, out=self._bad)
            self._minute = now
        candidate, stable = arms(counts, RISK_N, RISK_BAD)
        null, alternatives = ratio.worse_than(self._plan.ratio)
        self._worse += ratio.increments(candidate, stable, null=null, alternatives=alternatives)
        for index, rule in enumerate(self._plan.rules):
            null, alternatives = absolute.above(rule.floor)
            arm = (candidate[0][:, index], candidate[1][:, index])
            self._bad[:, index] += absolute.increments(arm, null=null, alternatives=alternatives)
        smaller = np.minimum(log_mean_exp(self._worse), log_mean_exp(self._bad))
        unstarted = restarted.log_unstarted(np.array(now))
        np.maximum(self._highest, np.logaddexp(smaller, unstarted), out=self._highest)

    def _pass(self, counts: Floats) -> None:
        candidate, stable = arms(counts)
        null, alternatives = ratio.better_than()
        self._relative += ratio.increments(candidate, stable, null=null, alternatives=alternatives)
        for index, rule in enumerate(self._plan.rules):
            if rule.pass_bound is not None:
                null, alternatives = absolute.below(rule.pass_bound)
                arm = (candidate[0][:, index], candidate[1][:, index])
                self._alone[:, index] += absolute.increments(
                    arm, null=null, alternatives=alternatives
                )

    def _passed(self) -> Bools:
        """A step beyond the ladder (a finished rollout still in the arrays) never passes."""
        last = len(self._pass_limits) - 1
        limits = self._pass_limits[np.minimum(self._step, last)][:, None]
        required = np.array([rule.required for rule in self._plan.rules])
        decides = required & (self._sums.whole[..., N].sum(axis=2) > 0)
        reached = sequential.pass_log_e(self._relative, self._alone) >= limits
        reached &= self._sums.step()[:, :, CANDIDATE, N] > 0
        passed: Bools = (reached | ~decides).all(axis=1) & decides.any(axis=1)
        passed &= self._step <= last
        if passed.any():
            for index, rule in enumerate(self._plan.rules):
                if rule.required:
                    passed &= ~self._stable_is_worse(index, rule)
        return passed

    def _stable_is_worse(self, index: int, rule: MetricRule) -> Bools:
        before = self._before
        if before is None:
            before = self._sums.before_step[:, :, STABLE]
        past, now = before[:, index], self._sums.window()[:, index, STABLE]
        return stable_arm.worse(
            rule,
            before=(past[:, N], past[:, BAD]),
            now=(now[:, N], now[:, BAD]),
            allowed=self._plan.ratio,
        )
