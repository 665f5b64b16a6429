"""What the story is told about the platform that it runs on, and what it hands back.

``slipway up`` fills this in once PostgreSQL, Ray, the controller and the gateways are up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from slipway_cli.errors import CliError

# Requests a second: what two engines on two cores answer without queueing, and enough for a
# decision in about four minutes (100 good answers at 10 %, 250 at 50 %).
RATE = 7.0


class DemoError(CliError):
    """The demo cannot go on; the message says what was waited for and where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoContext:
    """One platform that is up. Times are unix seconds.

    ``made_at``: when ``make`` (or the command itself) began. ``started_at``: when ``slipway up``
    began, that is, when the environment was there. ``home``: processes that carry this path in
    their environment or arguments, and their descendants, count towards the memory figure.
    """

    dsn: str
    gateway_url: str
    dashboard_url: str
    home: Path
    made_at: float
    started_at: float
    console: Console
    dashboard_headers: Mapping[str, str] = field(default_factory=dict)
    rate: float = RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOutcome:
    """``line`` is the JSON report; the caller prints it last, after everything has stopped."""

    ok: bool
    line: str
