"""A dashboard as plain data: rows of panels, each panel a question with its queries.

Knows nothing of Grafana's JSON; what draws it is ``render``, what places it is ``layout``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

from slipway_dashboards.feeds import MISSING, Feed


class Shape(StrEnum):
    """How a panel is drawn."""

    LINES = "timeseries"
    STACKED = "stacked"
    NUMBER = "stat"
    STATES = "state-timeline"
    TABLE = "table"


class Unit(StrEnum):
    """Grafana's ids of the units in use."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    RATIO = "percentunit"
    PERCENT = "percent"
    PER_SECOND = "reqps"
    TOKENS_PER_SECOND = "suffix: tokens/s"
    COUNTS_PER_SECOND = "cps"
    ROWS = "suffix: rows"
    BYTES = "bytes"
    BYTES_PER_SECOND = "Bps"
    COUNT = "short"
    CELSIUS = "celsius"
    WATTS = "watt"
    YES_NO = "bool_yes_no"
    SCORE = "none"
    MEBIBYTES = "mbytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression. ``fed_by`` overrides the panel's where one line of it is rarer."""

    expr: str
    legend: str
    fed_by: Feed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """From ``at`` on it is ``colour``; below the first, green."""

    at: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question. ``about`` is its answer in words; what is missing is added by the feed."""

    title: str
    about: str
    unit: Unit
    queries: tuple[Query, ...]
    fed_by: Feed
    shape: Shape = Shape.LINES
    width: int = 8
    height: int = 7
    limits: tuple[Limit, ...] = ()
    bounded: bool = False
    """Whether the axis runs from 0 to 1 (or 100)."""
    states: tuple[tuple[str, str], ...] = ()
    """(word, colour) of the values 0, 1, 2… of a state timeline."""
    runbooks: tuple[str, ...] = ()
    """Runbooks of the alerts that send people here, without .md."""

    @property
    def key(self) -> str:
        """The title as one word."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    @property
    def description(self) -> str:
        """What it tells, then when it tells nothing."""
        feeds = dict.fromkeys([self.fed_by, *(q.fed_by for q in self.queries if q.fed_by)])
        return " ".join([self.about, *(MISSING[feed] for feed in feeds)])

    def feed(self, query: Query) -> Feed:
        """Where that query's data comes from."""
        return query.fed_by or self.fed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A variable whose values are a label's: ``label_values(source, label)``."""

    name: str
    source: str
    title: str

    @property
    def query(self) -> str:
        """As Grafana asks for it."""
        return f"label_values({self.source}, {self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Events over all panels of the board, from a query that is true when they happen."""

    name: str
    expr: str
    title: str
    text: str
    colour: str
    fed_by: Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard. ``name`` is its file's and, behind ``slipway-``, its uid."""

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    choices: tuple[Choice, ...] = ()
    marks: tuple[Mark, ...] = ()
    since: str = "now-1h"
    tags: tuple[str, ...] = field(default=("slipway",))

    @property
    def uid(self) -> str:
        """Stable: alerts and people's bookmarks hold it."""
        return f"slipway-{self.name.replace('_', '-')}"

    @property
    def panels(self) -> Iterator[Panel]:
        """All of them, in order."""
        return (panel for row in self.rows for panel in row.panels)

    def panel_id(self, panel: Panel) -> int:
        """Stable while the title stays, wherever the panel moves."""
        return panel_number(self.uid, panel.key)


def panel_number(uid: str, key: str) -> int:
    """Grafana's number of the panel ``key`` on the dashboard ``uid``, for links from alerts."""
    return 1 + crc32(f"{uid}/{key}".encode()) % 9_999_999
