"""What a rule is: recorded series, alerts, and the groups and files that they come in.

Plain data. An alert says what is wrong, for whom (``severity``), what to do next, and has a page in
``docs/runbooks``. Expressions aggregate by ``namespace`` too: it is empty on a laptop, and keeps
two releases that share a Prometheus apart. They never select by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

RUNBOOKS = "docs/runbooks"
"""Where the pages are; the chart puts ``monitoring.runbookUrl`` in its place."""


class Severity(StrEnum):
    """Whom it wakes, and when."""

    PAGE = "page"
    """Users are hurt, or will be within the hour: now, day or night."""
    TICKET = "ticket"
    """Somebody has to act, within a working day."""
    INFO = "info"
    """Worth knowing; nobody has to act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSeries:
    """A series that Prometheus works out and keeps: ``slipway:<what>:<operation>``."""

    record: str
    expr: str
    help: str
    of: tuple[str, ...]
    """Its labels, those of ``labels`` included, ``namespace`` left out."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels that the rule adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert. ``hold`` is Prometheus' ``for``: how long it must be true before it fires."""

    name: str
    expr: str
    hold: str
    severity: Severity
    summary: str
    description: str
    """What is so, then the next action."""
    meaning: str
    """One sentence for the table of alerts."""
    keep: str = ""
    """Prometheus' ``keep_firing_for``."""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def page(self) -> str:
        """File name of its runbook: the name in kebab case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", self.name).lower() + ".md"

    @property
    def runbook(self) -> str:
        """Path of its runbook in the repository."""
        return f"{RUNBOOKS}/{self.page}"


Rule = RecordedSeries | Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that are evaluated together, in order."""

    name: str
    rules: tuple[Rule, ...] = field(default=())
