"""A line plot and a timeline as inline SVG.

Of our own, 200 lines, because the libraries that draw are wrong for one small page: plotly and vega
bring megabytes of script, matplotlib tens of megabytes of dependency to a command that needs none.
Text is escaped here; colours are classes of the page's style sheet; every drawing has a title and a
description for those who do not see it, and every point its value on hover.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from slipway_cli.report.scale import (
    Point,
    Scale,
    nice_ticks,
    plain_label,
    span_of,
    thinned,
    time_label,
    time_ticks,
)

WIDTH, HEIGHT = 720.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 10.0, 28.0
POINTS = 400
ROW = 24.0
# A dot on every point only where they can be told apart.
DOTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """``tone``: the class that colours it. ``dashed``: a bound. ``base``: filled from it."""

    name: str
    points: Sequence[Point]
    tone: str
    dashed: bool = False
    base: Sequence[Point] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A vertical line with a word, such as a step's beginning."""

    at: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """``over``: what the horizontal axis counts. ``label`` writes a value of the vertical one."""

    key: str
    title: str
    description: str
    lines: Sequence[Line]
    over: Literal["time", "steps"]
    marks: Sequence[Mark] = ()
    label: Callable[[float], str] = plain_label
    from_zero: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch of a timeline, in unix seconds. ``end`` None: it goes on until ``until``."""

    name: str
    start: float
    end: float | None
    tone: str
    says: str


def draw_plot(plot: Plot) -> str:
    """A figure with its legend; the lines must have a point between them."""
    values = [point for line in plot.lines for point in (*line.points, *(line.base or ()))]
    low, high = span_of([x for x, _ in values])
    bottom, top = span_of([y for _, y in values], zero=plot.from_zero, room=0.08)
    across = Scale(low, high, LEFT, WIDTH - RIGHT)
    up = Scale(bottom, top, HEIGHT - BOTTOM, TOP)
    parts = [
        *_grid(plot, across, up),
        *(_mark(mark, across) for mark in plot.marks if low <= mark.at <= high),
        *(_line(line, plot, across, up) for line in plot.lines if line.points),
    ]
    return _figure(plot.key, plot.title, plot.description, parts, HEIGHT, _legend(plot.lines))


def draw_timeline(
    bars: Sequence[Bar], marks: Sequence[Mark], *, until: float, title: str, description: str
) -> str:
    """A row for each bar, oldest above."""
    low = min(bar.start for bar in bars)
    high = max([until, *(mark.at for mark in marks)])
    across = Scale(low, max(high, low + 1), LEFT + 76, WIDTH - RIGHT)
    height = TOP + ROW * len(bars) + BOTTOM
    parts = [
        f'<line class="grid" x1="{across(at):.1f}" x2="{across(at):.1f}" y1="{TOP}" '
        f'y2="{height - BOTTOM:.1f}"/><text class="tick" text-anchor="middle" x="{across(at):.1f}" '
        f'y="{height - 10:.1f}">{escape(time_label(at, span=high - low))}</text>'
        for at in time_ticks(low, high)
    ]
    for row, bar in enumerate(bars):
        y = TOP + ROW * row
        start, end = across(bar.start), across(bar.end if bar.end is not None else high)
        parts.append(
            f'<text class="row" x="4" y="{y + 16:.1f}">{escape(bar.name)}</text>'
            f'<rect class="bar {escape(bar.tone)}" x="{start:.1f}" y="{y + 3:.1f}" '
            f'width="{max(2.0, end - start):.1f}" height="{ROW - 6:.1f}" rx="3">'
            f"<title>{escape(bar.says)}</title></rect>"
        )
    parts += [_mark(mark, across, bottom=height - BOTTOM) for mark in marks]
    return _figure("timeline", title, description, parts, height, "")


def _figure(
    key: str, title: str, description: str, parts: Sequence[str], height: float, legend: str
) -> str:
    key = escape(key)
    return (
        f'<figure id="{key}"><figcaption>{escape(title)}</figcaption>{legend}'
        f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(description)}</desc>{"".join(parts)}</svg></figure>'
    )


def _legend(lines: Sequence[Line]) -> str:
    entries = (
        f'<li><span class="key {escape(line.tone)}{" dashed" if line.dashed else ""}"></span>'
        f"{escape(line.name)}</li>"
        for line in lines
        if line.points
    )
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _grid(plot: Plot, across: Scale, up: Scale) -> list[str]:
    timed = plot.over == "time"
    ticks = (time_ticks if timed else nice_ticks)(across.low, across.high)
    span = across.high - across.low
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    return [
        *(
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
            f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{up(y) + 4:.1f}">'
            f"{escape(plot.label(y))}</text>"
            for y in nice_ticks(up.low, up.high)
        ),
        *(
            f'<text class="tick" text-anchor="middle" x="{across(x):.1f}" y="{bottom + 18:.1f}">'
            f"{escape(time_label(x, span=span) if timed else plain_label(x))}</text>"
            for x in ticks
        ),
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>',
    ]


def _mark(mark: Mark, across: Scale, *, bottom: float = HEIGHT - BOTTOM) -> str:
    x = across(mark.at)
    anchor, at = ("end", x - 3) if x > WIDTH - 90 else ("start", x + 3)
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom:.1f}"/>'
        f'<text text-anchor="{anchor}" x="{at:.1f}" y="{TOP + 9}">{escape(mark.name)}</text>'
    )


def _line(line: Line, plot: Plot, across: Scale, up: Scale) -> str:
    points = [(across(x), up(y)) for x, y in thinned(line.points, POINTS)]
    path = _path(points)
    tone = escape(line.tone)
    if line.base is not None:
        back = [(across(x), up(y)) for x, y in reversed(thinned(line.base, POINTS))]
        area = f"{path} L{_path(back)[1:]} Z"
        return f'<path class="area {tone}" d="{area}"><title>{escape(line.name)}</title></path>'
    dash = " dashed" if line.dashed else ""
    drawn = f'<path class="line {tone}{dash}" d="{path}"><title>{escape(line.name)}</title></path>'
    if line.dashed or len(points) > DOTS:
        return drawn
    dots = (
        f'<circle class="dot {tone}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"><title>'
        f"{escape(f'{line.name}: {plot.label(value)}')}</title></circle>"
        for (px, py), (_, value) in zip(points, thinned(line.points, POINTS), strict=True)
    )
    return drawn + "".join(dots)


def _path(points: Sequence[Point]) -> str:
    if len(points) == 1:
        # A single point has no length; this makes it seen.
        points = [points[0], (points[0][0] + 0.1, points[0][1])]
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def stacked(layers: Sequence[tuple[str, Sequence[Point]]], tones: Sequence[str]) -> list[Line]:
    """Each layer on top of those before; all have the same horizontal values."""
    lines: list[Line] = []
    base = [(x, 0.0) for x, _ in layers[0][1]] if layers else []
    for (name, points), tone in zip(layers, itertools.cycle(tones), strict=False):
        top = [(x, y + below) for (x, y), (_, below) in zip(points, base, strict=True)]
        lines.append(Line(name=name, points=top, tone=tone, base=base))
        base = top
    return lines
