"""From an alert to the panel that shows it: the first one that names the alert's runbook."""

from __future__ import annotations

from slipway_dashboards.board import Board, Panel
from slipway_dashboards.boards import BOARDS


def home(page: str) -> tuple[Board, Panel] | None:
    """Board and panel of the runbook ``page`` (with or without .md), where one names it."""
    name = page.removesuffix(".md")
    for board in BOARDS:
        for panel in board.panels:
            if name in panel.runbooks:
                return board, panel
    return None


def panel_path(page: str) -> str:
    """Path in Grafana of the panel for the alert with that runbook. KeyError where none is."""
    found = home(page)
    if found is None:
        raise KeyError(f"no panel names the runbook {page}; add it to a panel's `runbooks`")
    board, panel = found
    return f"d/{board.uid}?viewPanel={board.panel_id(panel)}"
