"""A histogram's counts in plain numbers: what every request adds to. Knows no metric."""

from __future__ import annotations

from bisect import bisect_left


class Buckets:
    """A histogram's counts. ``bounds`` are upper bounds, without +Inf."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus has them, the last one +Inf."""
        reached, out = 0, []
        for bound, count in zip((*map(float, self.bounds), "+Inf"), self.counts, strict=True):
            reached += count
            out.append((str(bound), float(reached)))
        return out
