"""Ticks → one set of arrays a metric, checked.

The edge between rows of counts and arithmetic: what could not have been counted (NaN, negative,
more bad than requests) is refused here, so that no process ever sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts.counts import ArmCounts, Tick
from slipway_verdicts.errors import CountsError
from slipway_verdicts.grid import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSeries:
    """One arm of one metric; arrays of one length. See ``counts.ArmCounts``."""

    n: Floats
    bad: Floats
    risk_n: Floats
    risk_bad: Floats

    def total(self) -> ArmCounts:
        """Sums over all ticks."""
        return ArmCounts(
            n=int(self.n.sum()),
            bad=int(self.bad.sum()),
            risk_n=int(self.risk_n.sum()),
            risk_bad=int(self.risk_bad.sum()),
        )

    def where(self, mask: NDArray[np.bool_]) -> ArmSeries:
        """The ticks that ``mask`` picks."""
        return ArmSeries(
            n=self.n[mask],
            bad=self.bad[mask],
            risk_n=self.risk_n[mask],
            risk_bad=self.risk_bad[mask],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric, ordered by tick, then step."""

    metric: str
    tick: NDArray[np.int64]
    step: NDArray[np.int64]
    candidate: ArmSeries
    stable: ArmSeries

    def where(self, mask: NDArray[np.bool_]) -> Series:
        """The ticks that ``mask`` picks."""
        return Series(
            metric=self.metric,
            tick=self.tick[mask],
            step=self.step[mask],
            candidate=self.candidate.where(mask),
            stable=self.stable.where(mask),
        )

    def at_step(self, step: int) -> Series:
        """The step's own ticks: samples from before it do not count."""
        return self.where(self.step == step)

    def eligible(self) -> bool:
        """Did either arm have a request to which the metric applies?"""
        return bool(self.candidate.n.any() or self.stable.n.any())


def collect(ticks: Sequence[Tick]) -> dict[str, Series]:
    """Group by metric and order. Raises CountsError that names metric and tick."""
    if not ticks:
        return {}
    rows = [
        (
            t.tick, t.step,
            (c := t.candidate).n, c.bad, c.risk_n, c.risk_bad,
            (s := t.stable).n, s.bad, s.risk_n, s.risk_bad,
        )
        for t in ticks
    ]  # fmt: skip
    try:
        table = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CountsError(f"a count is not a number: {error}; check the log query") from error
    _check(ticks, table)
    by_metric: dict[str, list[int]] = {}
    for index, tick in enumerate(ticks):
        by_metric.setdefault(tick.metric, []).append(index)
    return {metric: _series(metric, table[rows]) for metric, rows in by_metric.items()}


def _check(ticks: Sequence[Tick], table: Floats) -> None:
    counts = table[:, 2:]
    wrong = ~np.isfinite(table).all(axis=1) | (counts < 0).any(axis=1)
    wrong |= (counts[:, 1::2] > counts[:, 0::2]).any(axis=1)
    if wrong.any():
        tick = ticks[int(np.argmax(wrong))]
        raise CountsError(
            f"{tick.metric} at tick {tick.tick}: counts must be finite, not negative and bad ≤ n "
            f"(candidate {tick.candidate.n}/{tick.candidate.bad}, "
            f"stable {tick.stable.n}/{tick.stable.bad}); check the log query"
        )


def _series(metric: str, table: Floats) -> Series:
    columns = table[np.lexsort((table[:, 1], table[:, 0]))].T
    return Series(
        metric=metric,
        tick=columns[0].astype(np.int64),
        step=columns[1].astype(np.int64),
        candidate=ArmSeries(n=columns[2], bad=columns[3], risk_n=columns[4], risk_bad=columns[5]),
        stable=ArmSeries(n=columns[6], bad=columns[7], risk_n=columns[8], risk_bad=columns[9]),
    )
