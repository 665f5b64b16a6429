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
from numpy.typing import NDArray

from slipway_verdicts import absolute, ratio
from slipway_verdicts.counts import ArmCounts
from slipway_verdicts.grid import Floats, log_mean_exp
from slipway_verdicts.guard import WINDOW_TICKS
from slipway_verdicts.plan import MetricRule
from slipway_verdicts.series import Series

LOG_LIMIT = math.log(20)


def before_step(series: Series, step: int) -> ArmCounts:
    """Stable's counts of the steps before ``step``."""
    return series.stable.where(series.step < step).total()


def now_in_step(series: Series, *, last_tick: int) -> ArmCounts:
    """Stable's counts of the window that ends with ``last_tick``; ``series`` is the step's own."""
    return series.stable.where(series.tick > last_tick - WINDOW_TICKS).total()


def worse(
    rule: MetricRule,
    *,
    before: tuple[Floats, Floats],
    now: tuple[Floats, Floats],
    allowed: float,
) -> NDArray[np.bool_]:
    """Is ``now`` worse than ``allowed`` × ``before``, and bad in absolute terms?

    Both are (requests, bad events) of any one shape, which is the result's. No request on either
    side: nothing to compare, False.
    """
    null, alternatives = ratio.worse_than(allowed)
    relative = ratio.increments(now, before, null=null, alternatives=alternatives)
    null, alternatives = absolute.above(rule.floor)
    alone = absolute.increments(now, null=null, alternatives=alternatives)
    smaller = np.minimum(log_mean_exp(relative), log_mean_exp(alone))
    result: NDArray[np.bool_] = smaller >= LOG_LIMIT
    return result


def arm(counts: ArmCounts) -> tuple[Floats, Floats]:
    """Uncapped totals as (requests, bad events), 0-dimensional."""
    return np.array(float(counts.n)), np.array(float(counts.bad))
