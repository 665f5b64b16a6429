"""A panel in short form: its feed, its title, and (expression, legend) for each line."""

from __future__ import annotations

from slipway_dashboards.board import Limit, Panel, Query, Shape, Unit
from slipway_dashboards.feeds import Feed


def panel_of(
    feed: Feed,
    title: str,
    *lines: tuple[str, str],
    about: str,
    unit: Unit,
    limits: tuple[Limit, ...] = (),
    bounded: bool = False,
    width: int = 8,
    shape: Shape = Shape.LINES,
    runbooks: tuple[str, ...] = (),
) -> Panel:
    """Everything else of a panel is by name."""
    return Panel(
        title=title,
        about=about,
        unit=unit,
        queries=tuple(Query(expr=expr, legend=legend) for expr, legend in lines),
        fed_by=feed,
        limits=limits,
        bounded=bounded,
        width=width,
        shape=shape,
        runbooks=runbooks,
    )
