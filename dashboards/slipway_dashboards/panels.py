"""One panel of a board → the SDK's builder of its shape."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from grafana_foundation_sdk.builders import common, prometheus, stat, statetimeline, table
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.builders import timeseries as lines
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from slipway_dashboards.board import Board, Panel, Query, Shape, Unit
from slipway_dashboards.layout import Place


def heading(place: Place, uid: str) -> grafana.Row:
    """The line above a row of panels."""
    number = 1 + crc32(f"{uid}/row/{place.what.title}".encode()) % 9_999_999
    return grafana.Row(place.what.title).id(number).grid_pos(_grid(place))


def drawn(place: Place, board: Board, *, datasource: models.DataSourceRef) -> Any:
    """The panel at its place, with everything but what its shape alone has."""
    panel = place.what
    assert isinstance(panel, Panel)
    built = (
        _shaped(panel)
        .id(board.panel_id(panel))
        .title(panel.title)
        .description(panel.description)
        .datasource(datasource)
        .grid_pos(_grid(place))
        .unit(panel.unit)
        .thresholds(_thresholds(panel))
    )
    if panel.bounded:
        built = built.min(0).max(100 if panel.unit is Unit.PERCENT else 1)
    if panel.states:
        built = built.mappings([_words(panel)])
    if panel.runbooks:
        built = built.links([_runbook(name) for name in panel.runbooks])
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        built = built.with_target(_target(panel, query, letter).datasource(datasource))
    return built


def _grid(place: Place) -> models.GridPos:
    return models.GridPos(x=place.x, y=place.y, w=place.width, h=place.height)


def _shaped(panel: Panel) -> Any:
    match panel.shape:
        case Shape.LINES:
            return _lines(panel)
        case Shape.STACKED:
            stacked = common.StackingConfig().mode(looks.StackingMode.NORMAL)
            return _lines(panel).fill_opacity(20).stacking(stacked)
        case Shape.NUMBER:
            return stat.Panel().graph_mode(looks.BigValueGraphMode.NONE)
        case Shape.STATES:
            return statetimeline.Panel().merge_values(True).show_value(looks.VisibilityMode.AUTO)
        case Shape.TABLE:
            return table.Panel()


def _lines(panel: Panel) -> lines.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.LIST)
        .placement(looks.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    tooltip = common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI)
    style = (
        looks.GraphThresholdsStyleMode.DASHED
        if panel.limits
        else looks.GraphThresholdsStyleMode.OFF
    )
    return (
        lines.Panel()
        .legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(5)
        .show_points(looks.VisibilityMode.AUTO)
        .axis_soft_min(0)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
    )


def _thresholds(panel: Panel) -> grafana.ThresholdsConfig:
    steps = [models.Threshold(value=None, color="green")]
    steps += [models.Threshold(value=limit.at, color=limit.colour) for limit in panel.limits]
    return grafana.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _words(panel: Panel) -> models.ValueMap:
    return models.ValueMap(
        options={
            str(number): models.ValueMappingResult(text=word, color=colour, index=number)
            for number, (word, colour) in enumerate(panel.states)
        }
    )


def _runbook(name: str) -> grafana.DashboardLink:
    title = f"Runbook: {name.replace('-', ' ')}"
    return (
        grafana.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{name}.md")
        .target_blank(True)
    )


def _target(panel: Panel, query: Query, letter: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter)
    match panel.shape:
        case Shape.TABLE:
            return target.instant().format(PromQueryFormat.TABLE)
        case Shape.NUMBER:
            return target.instant()
        case Shape.LINES | Shape.STACKED | Shape.STATES:
            return target.range()
