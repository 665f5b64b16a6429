"""The ratio process: is the candidate's rate more than ``null`` times the stable version's?

In a tick with n_c and n_s requests a bad event has odds n_c·r : n_s of being the candidate's, so
with θ(r) = n_c·r / (n_c·r + n_s) the likelihood ratio of r1 against r0 is
(θ1/θ0)^b_c · ((1 − θ1)/(1 − θ0))^b_s, a function of the bad events only.

Valid (an e-process) for the null "mean p over the candidate's requests ≤ r0 × mean p over the
stable version's" with r1 > r0: with a = θ1/θ0, b = (1 − θ1)/(1 − θ0) and independent events,
E[a^b_c · b^b_s] ≤ exp(Σ_c p_i (a − 1) + Σ_s p_j (b − 1)) ≤ 1, because the exponent is
(θ1 − θ0)(n_c r0 + n_s)(p̄_c/r0 − p̄_s). So rates may be high, unequal and change from tick to tick,
and the weight may depend on the past. The same line with r1 < r0 serves "≥ r0 ×".
An outage that hits both arms alike moves nothing (at r0 = 1; above it, it speaks for the null).

Source: Turner, Ly and Grünwald, *Generic E-variables for exact sequential k-sample tests*;
Grünwald, de Heide and Koolen, *Safe Testing*; the Poisson bound is 1 + x ≤ exp(x).
"""

from __future__ import annotations

import numpy as np

from slipway_verdicts.grid import GRID, Floats

PASS_RATIO = 2.0


def increments(
    candidate: tuple[Floats, Floats],
    stable: tuple[Floats, Floats],
    *,
    null: float,
    alternatives: Floats,
) -> Floats:
    """Log-likelihood-ratio of each tick.

    ``candidate`` and ``stable`` are (requests, bad events), arrays of one shape ``(…)``; the result
    has shape ``(…, len(alternatives))``. No request or no bad event: 0.
    """
    candidate_n, candidate_bad = candidate
    stable_n, stable_bad = stable
    total = np.where(candidate_n + stable_n > 0, stable_n, 1.0)
    at_null = np.log(candidate_n * null + total)[..., None]
    at_alternative = np.log(candidate_n[..., None] * alternatives + total[..., None])
    both = (candidate_bad + stable_bad)[..., None]
    result: Floats = candidate_bad[..., None] * np.log(alternatives / null) + both * (
        at_null - at_alternative
    )
    return result


def worse_than(ratio: float) -> tuple[float, Floats]:
    """Null and alternatives of Fail: "at most ``ratio`` times stable's rate"."""
    return ratio, ratio * GRID


def better_than(ratio: float = PASS_RATIO) -> tuple[float, Floats]:
    """Null and alternatives of Pass: "at least ``ratio`` times stable's rate"."""
    return ratio, ratio / GRID
