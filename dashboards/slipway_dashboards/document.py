"""docs/dashboards.md: the text of ``docs/dashboards.head.md``, then tables from the code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slipway_dashboards.answers import ANSWERS
from slipway_dashboards.board import Board
from slipway_dashboards.boards import BOARDS
from slipway_dashboards.tables import table

HEAD = Path(__file__).parents[2] / "docs" / "dashboards.head.md"


def documents() -> dict[str, str]:
    """File name → content."""
    lines = [HEAD.read_text("utf-8"), *_overview(), *_answers(), *_panels()]
    return {"dashboards.md": "\n".join(lines)}


def _overview() -> Iterator[str]:
    yield "## The dashboards\n"
    yield from table(("Dashboard", "uid", "Asks"), _boards())


def _boards() -> Iterator[tuple[str, ...]]:
    for board in BOARDS:
        anchor = _short(board).lower().replace(" ", "-")
        yield f"[{_short(board)}](#{anchor})", f"`{board.uid}`", board.about


def _answers() -> Iterator[str]:
    yield "## What the source systems' dashboards answered\n"
    titles = {board.name: _short(board) for board in BOARDS}
    rows = (
        (
            answer.question,
            answer.asked_by,
            f"{titles[answer.board]}: {', '.join(answer.panels)}",
        )
        for answer in ANSWERS
    )
    yield from table(("Question", "Asked by", "Dashboard: panels"), rows)


def _panels() -> Iterator[str]:
    yield "## Every panel, and where its data comes from\n"
    for board in BOARDS:
        yield f"### {_short(board)}\n"
        rows = ((panel.title, f"`{panel.fed_by}`", panel.description) for panel in board.panels)
        yield from table(("Panel", "Fed by", "What it says"), rows)


def _short(board: Board) -> str:
    return board.title.removeprefix("Slipway / ")
