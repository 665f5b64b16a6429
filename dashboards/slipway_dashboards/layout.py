"""Where panels stand on Grafana's grid of 24 columns: left to right, row by row, no overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway_dashboards.board import Board, Panel, Row

COLUMNS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A heading or a panel, and its rectangle."""

    what: Row | Panel
    x: int
    y: int
    width: int
    height: int


def places(board: Board) -> Iterator[Place]:
    """Every heading and panel of the board, from the top."""
    y = 0
    for row in board.rows:
        yield Place(what=row, x=0, y=y, width=COLUMNS, height=1)
        y += 1
        x = tallest = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield Place(what=panel, x=x, y=y, width=panel.width, height=panel.height)
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
