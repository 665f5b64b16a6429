"""From values to pixels: ranges, ticks that people read, lines thinned to what is seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Point = tuple[float, float]
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Scale:
    """Linear. ``low`` and ``high`` differ."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def span_of(values: Sequence[float], *, zero: bool = False, room: float = 0.0) -> Point:
    """Lowest and highest, never equal; from 0 on request, with some room above."""
    low, high = min(values), max(values)
    if zero:
        low = min(0.0, low)
    if high - low <= 0:
        high = low + (abs(low) or 1.0)
    return low, high + (high - low) * room


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten inside the range."""
    raw = (high - low) / about
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next((m for m in (1, 2, 5) if m * magnitude >= raw), 10) * magnitude
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def time_ticks(low: float, high: float, *, about: int = 6) -> list[float]:
    """Round moments of UTC, in unix seconds."""
    raw = (high - low) / about
    step = next((s for s in _SECONDS if s >= raw), max(1, math.ceil(raw / _DAY)) * _DAY)
    return [float(at) for at in range(math.ceil(low / step) * step, math.floor(high) + 1, step)]


def time_label(at: float, *, span: float) -> str:
    """``12:03:10``, without the seconds where they say nothing, with the day over long times."""
    moment = datetime.fromtimestamp(at, UTC)
    if span > 2 * _DAY:
        return f"{moment:%m-%d %H:%M}"
    return f"{moment:%H:%M:%S}" if span < 1200 else f"{moment:%H:%M}"


def plain_label(value: float) -> str:
    """``0.25``, ``1,200``."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent_label(value: float) -> str:
    """``2.5 %``."""
    return f"{value * 100:.3g} %"


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= most:
        return list(points)
    width = math.ceil(len(points) / (most // 2))
    kept: list[Point] = []
    for start in range(0, len(points), width):
        stretch = points[start : start + width]
        by_value: Callable[[Point], float] = lambda point: point[1]  # noqa: E731 (typed key)
        kept += sorted({min(stretch, key=by_value), max(stretch, key=by_value)})
    return kept
