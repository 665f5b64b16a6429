"""The guard, for few units: at least half of the candidate's answers bad while stable is fine.

A unit leaves the at-risk counts after its first bad event, so ten conversations can never fill an
e-process however broken the candidate is. The guard looks at uncapped requests instead: ≥ 20 of
the candidate's, ≥ 50 % bad, while stable is < 10 % bad (and has answered at all: without a stable
request nothing says that it is fine). Gateways carry the same rule.

Choice where the design leaves one: it is asked at every tick over the step so far *and* over its
last five minutes, so that a good past cannot pay for a bad present. (Over the last minute it would
catch little more, and one client's retry storm would trip it three times as often.) It bounds no
error rate: a client that always fails and lands on the candidate can trip it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts.grid import Floats
from slipway_verdicts.series import Series

MIN_REQUESTS = 20
CANDIDATE_BAD = 0.5
STABLE_BAD = 0.1
WINDOW_TICKS = 60


def trips(candidate: tuple[Floats, Floats], stable: tuple[Floats, Floats]) -> NDArray[np.bool_]:
    """The rule on (requests, bad events) of both arms, element by element."""
    n, bad = candidate
    stable_n, stable_bad = stable
    broken = (n >= MIN_REQUESTS) & (bad >= CANDIDATE_BAD * n)
    fine = (stable_n > 0) & (stable_bad < STABLE_BAD * stable_n)
    result: NDArray[np.bool_] = broken & fine
    return result


def tripped(series: Series) -> bool:
    """Did it trip at any tick of any step?"""
    return any(_in_step(series.at_step(int(step))) for step in np.unique(series.step))


def _in_step(series: Series) -> bool:
    arms = (series.candidate.n, series.candidate.bad, series.stable.n, series.stable.bad)
    sums = np.cumsum(np.vstack(arms), axis=1)
    start = np.searchsorted(series.tick, series.tick - WINDOW_TICKS, side="right")
    padded = np.hstack((np.zeros((4, 1)), sums))
    recent = sums - padded[:, start]
    return any(bool(trips((w[0], w[1]), (w[2], w[3])).any()) for w in (sums, recent))
