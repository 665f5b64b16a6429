"""Builders of ticks for the tests of the verdicts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from slipway_verdicts.counts import ArmCounts, Tick
from slipway_verdicts.sums import BAD, CANDIDATE, RISK_BAD, RISK_N, STABLE, N

FIRST = 1_000_000


def arm(n=0, bad=0, *, risk_n=None, risk_bad=None) -> ArmCounts:
    """At-risk counts equal the uncapped ones unless given."""
    return ArmCounts(
        n=n,
        bad=bad,
        risk_n=n if risk_n is None else risk_n,
        risk_bad=bad if risk_bad is None else risk_bad,
    )


def a_tick(number=0, *, metric="error", step=0, candidate=(0, 0), stable=(0, 0)) -> Tick:
    """``number`` counts from the rollout's first tick; arms are (n, bad) or ArmCounts."""
    return Tick(
        metric=metric,
        step=step,
        tick=FIRST + number,
        candidate=candidate if isinstance(candidate, ArmCounts) else arm(*candidate),
        stable=stable if isinstance(stable, ArmCounts) else arm(*stable),
    )


def run_of(count, *, start=0, metric="error", step=0, candidate=(0, 0), stable=(0, 0)):
    """``count`` equal ticks in a row."""
    return [
        a_tick(start + i, metric=metric, step=step, candidate=candidate, stable=stable)
        for i in range(count)
    ]


def ticks_from(counts: np.ndarray, *, number: int, step: int, metrics: Iterable[str]):
    """One rollout's counts (metrics, 2, 4) in the simulation's form → ticks."""

    def one(cells) -> ArmCounts:
        return ArmCounts(
            n=int(cells[N]),
            bad=int(cells[BAD]),
            risk_n=int(cells[RISK_N]),
            risk_bad=int(cells[RISK_BAD]),
        )

    return [
        a_tick(
            number,
            metric=metric,
            step=step,
            candidate=one(cell[CANDIDATE]),
            stable=one(cell[STABLE]),
        )
        for metric, cell in zip(metrics, counts, strict=True)
    ]
