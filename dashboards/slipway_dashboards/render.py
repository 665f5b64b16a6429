"""Boards → Grafana's JSON, by grafana-foundation-sdk: the only file that knows Grafana's model.

Deterministic: the same boards give the same bytes, so the committed files can be checked.
"""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from slipway_dashboards.board import Board, Choice, Mark, Row
from slipway_dashboards.boards import BOARDS
from slipway_dashboards.layout import places
from slipway_dashboards.panels import drawn, heading

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS = "docs/runbooks"
"""Where runbooks are; whoever ships the JSON may put an address in its place."""


class MarkQuery(AnnotationQuery):
    """An annotation of the Prometheus datasource: it has fields that the SDK does not know."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(
            name=mark.name, datasource=DATASOURCE, icon_color=mark.colour, expr=mark.expr
        )
        self._mark = mark

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        own = {"titleFormat": self._mark.title, "textFormat": self._mark.text, "step": "15s"}
        return super().to_json() | own | {"tagKeys": "model,version,phase,severity"}


class _Marked(grafana.AnnotationQuery):
    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self._internal = MarkQuery(mark)


def rendered() -> dict[str, str]:
    """File name → JSON of every board."""
    return {f"{board.name}.json": as_json(board) for board in BOARDS}


def as_json(board: Board) -> str:
    """One dashboard's JSON."""
    found = _built(board)
    return json.dumps(found, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _built(board: Board) -> Any:
    built = (
        grafana.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(list(board.tags))
        .time(board.since, "now")
        .refresh("15s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_datasource())
        .with_variable(_runbooks())
        .link(_others())
    )
    for choice in board.choices:
        built = built.with_variable(_choice(choice))
    for mark in board.marks:
        built = built.annotation(_Marked(mark))
    for place in places(board):
        if isinstance(place.what, Row):
            built = built.with_row(heading(place, board.uid))
        else:
            built = built.with_panel(drawn(place, board, datasource=DATASOURCE))
    return built.build()


def _datasource() -> grafana.DatasourceVariable:
    return grafana.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _runbooks() -> grafana.ConstantVariable:
    return grafana.ConstantVariable("runbooks").value(RUNBOOKS)


def _choice(choice: Choice) -> grafana.QueryVariable:
    every = VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        grafana.QueryVariable(choice.name)
        .label(choice.title)
        .datasource(DATASOURCE)
        .query({"query": choice.query, "refId": f"Choice-{choice.name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .hide(VariableHide.DONT_HIDE)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(every)
    )


def _others() -> grafana.DashboardLink:
    return (
        grafana.DashboardLink("Slipway")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["slipway"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .icon("external link")
    )
