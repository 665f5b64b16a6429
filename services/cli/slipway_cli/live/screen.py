"""A picture as rich tables: one screen, the same for ``status`` and ``top``.

Values are never taken for markup: names and messages are other people's text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from slipway_cli.live.figures import ProcessFigures, QueueFigures, VersionFigures
from slipway_cli.live.picture import ModelLine, Picture, VersionLine
from slipway_cli.live.window import Alert
from slipway_cli.render import age, length
from slipway_cli.terminal import PHASE_STYLES

NOTHING = "-"
_ANY_WIDTH = 10_000
_VERSION_COLUMNS = (
    *("Model", "Version", "Phase", "Weight", "Req/s", "Errors", "p95", "TTFT p95"),
    *("In flight", "Waiting", "Engine", "Age"),
)
# What goes first where the screen is narrow.
_LEAST_FIRST = ("Age", "Engine", "Waiting", "In flight", "TTFT p95")
_RIGHT = frozenset({"Weight", "Req/s", "Errors", "p95", "TTFT p95", "In flight", "Waiting"})


def screen(picture: Picture) -> RenderableType:
    """Everything, top to bottom in the order of urgency."""
    return Group(*_parts(picture))


def _parts(picture: Picture) -> Iterator[RenderableType]:
    yield Text(f"{picture.at:%Y-%m-%d %H:%M:%S} UTC{_from(picture.source)}", style="dim")
    if picture.note:
        yield Text(picture.note, style="yellow")
    if picture.alerts:
        yield _alerts(picture.alerts)
    elif picture.alerts is not None:
        yield Text("No alert.", style="green")
    if not picture.models and not picture.versions:
        yield Text("No models yet; `slipway apply -f FILE` makes some.")
    if picture.models:
        yield _models(picture.models)
    if picture.versions:
        yield _Versions(picture.versions, picture.at)
    if picture.hidden:
        more = "version that has" if picture.hidden == 1 else "versions that have"
        yield Text(f"{picture.hidden} {more} ended: --all", style="dim")
    if picture.processes:
        yield _processes(picture.processes)
    if picture.queues:
        yield _queues(picture.queues)


def _from(source: str) -> str:
    return f", figures from {source}" if source else ""


def _alerts(alerts: Sequence[Alert]) -> Table:
    table = _table("Alert", "State", "Severity", "About", "Summary")
    for alert in alerts:
        style = "red" if alert.state == "firing" else "yellow"
        table.add_row(
            Text(alert.name, style=style), *_plain(alert.state, alert.severity, alert.about),
            Text(alert.summary),
        )  # fmt: skip
    return table


def _models(models: Sequence[ModelLine]) -> Table:
    table = _table("Model", "Stable", "Candidate", "Ready", "Routes applied", "Why")
    for model in models:
        style = "green" if model.ready == "True" else "red" if model.ready else ""
        table.add_row(
            *_plain(model.name, model.stable, model.candidate),
            Text(model.ready or NOTHING, style=style), *_plain(model.routes, model.why),
        )  # fmt: skip
    return table


@dataclass(frozen=True, slots=True)
class _Versions:
    """The table of versions with as many columns as there is room for."""

    versions: Sequence[VersionLine]
    now: datetime

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        dropped: set[str] = set()
        table = self._without(dropped)
        unbound = options.update(max_width=_ANY_WIDTH)
        for column in _LEAST_FIRST:
            if Measurement.get(console, unbound, table).maximum <= options.max_width:
                break
            dropped.add(column)
            table = self._without(dropped)
        yield table

    def _without(self, dropped: Collection[str]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        shown = [column for column in _VERSION_COLUMNS if column not in dropped]
        for column in shown:
            table.add_column(column, justify="right" if column in _RIGHT else "left", no_wrap=True)
        for line in self.versions:
            cells = dict(zip(_VERSION_COLUMNS, _cells(line, self.now), strict=True))
            table.add_row(*(cells[column] for column in shown))
        return table


def _cells(line: VersionLine, now: datetime) -> list[Text]:
    """In the order of the columns."""
    figures = line.figures
    phase = f"{line.phase} {line.progress}".strip()
    return [
        *_plain(line.model, line.name),
        Text(phase, style=PHASE_STYLES.get(line.phase, "")),
        *_plain(weight(line), number(figures.requests), share(figures.error_share)),
        *_plain(seconds(figures.p95), seconds(figures.ttft_p95)),
        *_plain(whole(figures.in_flight), _waiting(figures), _engine(figures)),
        *_plain(age(line.since, now) if line.since else NOTHING),
    ]


def _processes(processes: Sequence[ProcessFigures]) -> Table:
    table = _table("Process", "Role", "State", "Log waiting", "Oldest")
    for process in processes:
        table.add_row(
            *_plain(process.name, process.role),
            Text(process.says, style="" if process.healthy else "red"),
            *_plain(whole(process.log_pending), seconds(process.log_oldest)),
        )
    return table


def _queues(queues: Sequence[QueueFigures]) -> Table:
    table = _table("Queue", "Waiting", "Running", "Dead", "Oldest")
    for queue in queues:
        dead = Text(f"{queue.dead:.0f}", style="red" if queue.dead else "")
        table.add_row(
            *_plain(queue.kind, whole(queue.waiting), whole(queue.running)),
            dead, seconds(queue.oldest),
        )  # fmt: skip
    return table


def weight(line: VersionLine) -> str:
    """``10 %``, or ``10 → 50 %`` while the gateways have not applied it."""
    if line.observed is None:
        return NOTHING
    if line.desired == line.observed:
        return f"{line.observed} %"
    return f"{line.observed} → {line.desired} %"


def _waiting(figures: VersionFigures) -> str:
    if figures.queued is None:
        return NOTHING
    refused = f" ({figures.refused:.2g}/s refused)" if figures.refused else ""
    return f"{figures.queued:.0f}{refused}"


def _engine(figures: VersionFigures) -> str:
    said = []
    if figures.circuit_open:
        said.append("circuit open")
    if figures.limit is not None:
        said.append(f"limit {figures.limit:.0f}")
    if figures.engine_running is not None:
        said.append(f"{figures.engine_running:.0f} run, {figures.engine_waiting or 0:.0f} wait")
    if figures.engine_cache is not None:
        said.append(f"cache {figures.engine_cache:.0%}")
    return ", ".join(said)


def number(value: float | None) -> str:
    """Two digits of a small rate, whole ones of a large one."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def share(value: float | None) -> str:
    """``0.4 %``."""
    return NOTHING if value is None else f"{value * 100:.2g} %" if value < 0.1 else f"{value:.0%}"


def seconds(value: float | None) -> str:
    """``84 ms``, ``1.2 s``, then as ages are."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 100 else length(value)


def whole(value: float | None) -> str:
    """A count."""
    return NOTHING if value is None else f"{value:,.0f}"


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _plain(*cells: str) -> list[Text]:
    return [Text(cell or NOTHING) for cell in cells]
