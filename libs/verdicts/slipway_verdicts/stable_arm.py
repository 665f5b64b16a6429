"""Is the stable arm worse than before the step? Then the candidate may be slowing both.

Comparing the arms cannot see a candidate that takes the GPU, the database or the queue from both,
so a step passes only while stable is no worse than it was. "Worse" is what Fail means by it, with
stable now in the candidate's place: the likelihood ratios against "≤ ratio × before" and
"≤ floor" both reach 20.

Choices where the design leaves them: *now* is the step's last 5 minutes (an outage that is over
stops blocking); *before* is what the caller read (stable's hour before the rollout), else stable's
ticks of the earlier steps; without either nothing can be compared and nothing blocks. It is a
hold, looked at again every tick, and bounds no error rate.
"""

from __future__ import annotations

import math

import numpy as np

from slipway_verdicts import absolute, ratio
from slipway_verdicts.counts import ArmCounts
from slipway_verdicts.grid import log_mean_exp
from slipway_verdicts.plan import MetricRule
from slipway_verdicts.series import Series

WINDOW_TICKS = 60
LOG_LIMIT = math.log(20)


def before_step(series: Series, step: int) -> ArmCounts:
    """Stable's counts of the steps before ``step``."""
    return series.stable.where(series.step < step).total()


def now_in_step(series: Series, *, last_tick: int) -> ArmCounts:
    """Stable's counts of the window that ends with ``last_tick``; ``series`` is the step's own."""
    return series.stable.where(series.tick > last_tick - WINDOW_TICKS).total()


def worse(rule: MetricRule, *, before: ArmCounts, now: ArmCounts, allowed: float) -> bool:
    """Is ``now`` worse than ``allowed`` × ``before``, and bad in absolute terms?"""
    if before.n == 0 or now.n == 0:
        return False
    null, alternatives = ratio.worse_than(allowed)
    relative = ratio.increments(_arm(now), _arm(before), null=null, alternatives=alternatives)
    null, alternatives = absolute.above(rule.floor)
    alone = absolute.increments(_arm(now), null=null, alternatives=alternatives)
    return bool(min(log_mean_exp(relative), log_mean_exp(alone)) >= LOG_LIMIT)


def _arm(counts: ArmCounts) -> tuple[np.ndarray, np.ndarray]:
    return np.array(float(counts.n)), np.array(float(counts.bad))
