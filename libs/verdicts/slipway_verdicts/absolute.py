"""The absolute process: is the candidate's rate above (or below) a fixed bound?

Bernoulli likelihood ratio Π (p1/p0)^bad · ((1 − p1)/(1 − p0))^good. For the null "rate ≤ p0" with
p1 > p0 every request's expected factor is 1 + (p − p0)(p1 − p0)/(p0(1 − p0)) ≤ 1, whatever came
before; turned round (p1 < p0) it serves the null "rate ≥ p0".

Choices where the design leaves one: alternatives bound × grid are cut off at 0.99 (a rate of 1
would be refuted for ever by one good answer), and a bound of 0 or 1 is read as 1e-6 or 0.99.

Source: Wald, *Sequential Analysis*; Ramdas et al. 2023 (see ``grid``) for the mixture.
"""

from __future__ import annotations

import numpy as np

from slipway_verdicts.grid import GRID, Floats

_LOWEST, _HIGHEST = 1e-6, 0.99


def increments(arm: tuple[Floats, Floats], *, null: float, alternatives: Floats) -> Floats:
    """Log-likelihood-ratio of each tick; ``arm`` is (requests, bad events) of shape ``(…)``.

    The result has shape ``(…, len(alternatives))``.
    """
    n, bad = arm
    good = (n - bad)[..., None]
    result: Floats = bad[..., None] * np.log(alternatives / null) + good * (
        np.log1p(-alternatives) - np.log1p(-null)
    )
    return result


def above(floor: float) -> tuple[float, Floats]:
    """Null and alternatives of Fail: "rate ≤ ``floor``"."""
    null = min(max(floor, _LOWEST), _HIGHEST)
    return null, np.minimum(null * GRID, _HIGHEST)


def below(bound: float) -> tuple[float, Floats]:
    """Null and alternatives of Pass: "rate ≥ ``bound``"."""
    null = min(max(bound, _LOWEST), _HIGHEST)
    return null, null / GRID
