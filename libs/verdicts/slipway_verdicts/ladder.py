"""The ladder: which shares a candidate climbs, and how sure each step must be.

Few large steps decide far sooner on little traffic at almost the same harm, so Auto picks by the
stable version's rate of the last hour. β falls along the ladder: the first rung risks little and
passes early, the last one decides. Knows nothing of time or counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LAST_BETA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A share in per cent and β: the odds of passing it wrongly at the bound."""

    weight: int
    beta: float


def _rungs(*pairs: tuple[int, float]) -> tuple[Rung, ...]:
    return tuple(Rung(weight=weight, beta=beta) for weight, beta in pairs)


FAST = _rungs((5, 0.5), (10, 0.3), (25, 0.2), (50, LAST_BETA))
MEDIUM = _rungs((10, 0.5), (25, 0.3), (50, LAST_BETA))
SLOW = _rungs((20, 0.4), (50, LAST_BETA))
_AUTO = {tuple(rung.weight for rung in ladder): ladder for ladder in (FAST, MEDIUM, SLOW)}


def auto_ladder(requests_per_second: float) -> tuple[Rung, ...]:
    """The rungs for stable's rate of the last hour (requests a second); then comes promotion."""
    if requests_per_second >= 20:
        return FAST
    if requests_per_second >= 5:
        return MEDIUM
    return SLOW


def betas_for(weights: tuple[int, ...]) -> tuple[float, ...]:
    """β of each step of a ladder given in per cent.

    The weights of an Auto ladder get its β. Others lie on the line through the four-rung ladder
    (5, 0.5) … (50, 0.05), flat outside it. The last step always gets 0.05: all steps must pass, so
    the smallest β bounds the odds of a wrong promotion, and the design promises 5 %.
    """
    if weights in _AUTO:
        return tuple(rung.beta for rung in _AUTO[weights])
    line = np.interp(weights, [r.weight for r in FAST], [r.beta for r in FAST])
    betas = [float(beta) for beta in line]
    return (*betas[:-1], min(betas[-1], LAST_BETA)) if betas else ()
