"""Running sums of many rollouts' uncapped counts: since the step began, and over the last minutes.

What the running judge and the simulated threshold mode both stand on. Counts have the shape
(rollouts, metrics, 2 arms, 4): candidate, then stable; requests, bad events, at-risk requests,
at-risk bad events. Only the uncapped two are summed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts import guard
from slipway_verdicts.grid import Floats

Bools = NDArray[np.bool_]
CANDIDATE, STABLE = 0, 1
N, BAD, RISK_N, RISK_BAD = range(4)
WINDOW = guard.WINDOW_TICKS

Arms = tuple[tuple[Floats, Floats], tuple[Floats, Floats]]


def arms(counts: Floats, n: int = N, bad: int = BAD) -> Arms:
    """(requests, bad events) of candidate and stable, each (rollouts, metrics)."""
    candidate, stable = counts[:, :, CANDIDATE], counts[:, :, STABLE]
    return (candidate[..., n], candidate[..., bad]), (stable[..., n], stable[..., bad])


class RunningSums:
    """``add`` once a tick; ``keep`` forgets rollouts."""

    def __init__(self, rollouts: int, metrics: int) -> None:
        self.whole = np.zeros((rollouts, metrics, 2, 2))
        self.before_step = np.zeros_like(self.whole)
        self._ring = np.zeros((WINDOW + 1, *self.whole.shape))
        self._tick = -1

    def enter_step(self, rollouts: Bools) -> None:
        """These begin a step with the next ``add``."""
        self.before_step[rollouts] = self.whole[rollouts]

    def add(self, counts: Floats) -> None:
        """One closed tick."""
        self._tick += 1
        self.whole += counts[..., : BAD + 1]
        self._ring[self._tick % (WINDOW + 1)] = self.whole

    def step(self) -> Floats:
        """Since the step began."""
        result: Floats = self.whole - self.before_step
        return result

    def window(self) -> Floats:
        """The step's last ``WINDOW`` ticks."""
        oldest = self._ring[(self._tick + 1) % (WINDOW + 1)]
        result: Floats = self.whole - np.maximum(self.before_step, oldest)
        return result

    def guarded(self) -> Bools:
        """Does the guard trip now? (rollouts, metrics)."""
        return guard.trips(*arms(self.step())) | guard.trips(*arms(self.window()))

    def keep(self, kept: Bools) -> None:
        """Forget the rollouts that ``kept`` does not pick."""
        self.whole, self.before_step = self.whole[kept], self.before_step[kept]
        self._ring = self._ring[:, kept]
