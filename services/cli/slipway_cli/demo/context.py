"""What the story is told about the platform that it runs on, and what it hands back.

``slipway up`` fills this in once PostgreSQL, Ray, the controller and the gateways are up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from slipway_cli.demo.findings import Bars
from slipway_cli.demo.platform import DemoPlatform
from slipway_cli.errors import CliError
from slipway_store.connect import Pool

# Requests a second: what two engines on two cores answer without queueing, and enough for a
# decision in about four minutes (100 good answers at 10 %, 250 at 50 %).
RATE = 7.0


class DemoError(CliError):
    """The demo cannot go on; the message says what was waited for and where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoContext:
    """One platform that is up. Times are unix seconds.

    ``made_at``: when ``make`` (or the command itself) began. ``started_at``: when ``slipway up``
    began, that is, when the environment was there. ``home``: where ledger and logs go. ``marks``:
    processes that carry one of these texts in their environment or arguments, and their
    descendants, count towards the memory figure. ``key``: the API key, where one is asked for.
    ``prometheus_url``: who watches, where somebody does; alerts are then judged, too.
    """

    dsn: str
    gateway_url: str
    platform: Callable[[Pool], DemoPlatform]
    home: Path
    made_at: float
    started_at: float
    console: Console
    marks: tuple[str, ...]
    key: str | None = None
    prometheus_url: str | None = None
    rate: float = RATE
    bars: Bars = field(default_factory=Bars)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOutcome:
    """``line`` is the JSON report; the caller prints it last, after everything has stopped.

    ``played``: False where an earlier demo's versions were found and nothing was done.
    """

    ok: bool
    line: str
    played: bool = True
