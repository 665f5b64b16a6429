"""``slipway rollout``: how a rollout stands, why it stands there, and what one would take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import typer

from slipway_cli.client import Session
from slipway_cli.errors import NotFound
from slipway_cli.find import find
from slipway_cli.options import TargetArgument
from slipway_cli.render import NONE, age, table
from slipway_cli.resources import Kind, label
from slipway_cli.shell import shell_of
from slipway_cli.verbs.simulate import simulate
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_store.measurements import Measurement


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Rollouts: state, reasons and forecast.")
    group.command("status")(status)
    group.command("explain")(explain)
    group.command("simulate")(simulate)
    app.add_typer(group, name="rollout")


def status(ctx: typer.Context, target: TargetArgument) -> None:
    """Show the step, the share and the evidence of a version, or of a Model's candidate."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        version = await _version(session, target)
        found = None
        if session.has_database:
            found = await session.evidence.latest(version.spec.model, version.metadata.name)
        for line in status_lines(version, found, now=datetime.now(UTC)):
            terminal.print(line)

    shell_of(ctx).run(work)


def explain(ctx: typer.Context, target: TargetArgument) -> None:
    """Say in sentences why a version stands where it stands, and what happens next."""
    # numpy comes with the verdicts' bounds: only this verb waits for it.
    from slipway_cli.explain.explaining import explain as explained
    from slipway_cli.explain.gather import situation_of

    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        version = await _version(session, target)
        situation = await situation_of(session, version, now=datetime.now(UTC))
        for line in explained(situation).lines():
            terminal.print(line)

    shell_of(ctx).run(work)


async def _version(session: Session, target: str) -> ModelVersion:
    found = await find(session.objects, target)
    if isinstance(found, Model):
        name = found.status.candidate or found.status.stable
        if name is None:
            raise NotFound(f"{label(found)} has neither a candidate nor a stable version yet")
        found = await session.objects.get(Kind.VERSION, name)
    assert isinstance(found, ModelVersion)
    return found


def status_lines(version: ModelVersion, found: Measurement | None, *, now: datetime) -> list[str]:
    """The state in a line, the ladder, and one row a metric of the newest judgement."""
    state = version.status
    rollout = state.rollout
    lines = [f"{label(version)} of {version.spec.model}: {state.phase} ({state.reason or 'new'})"]
    if rollout is None:
        return [*lines, "no rollout yet"]
    ladder = [
        f"[{weight} %]" if index == rollout.step else f"{weight} %"
        for index, weight in enumerate(rollout.plan)
    ]
    lines.append(f"ladder   {' → '.join(ladder) or 'not begun'}")
    lines.append(f"weight   {rollout.weight_observed} % (wanted {rollout.weight_desired} %)")
    if rollout.started_at is not None:
        lines.append(f"started  {age(rollout.started_at, now)} ago")
    if found is None:
        return [*lines, "evidence none yet"]
    lines.append(f"verdict  {found.verdict}, judged {age(found.at, now)} ago")
    if found.body.get("message"):
        lines.append(f"         {found.body['message']}")
    metrics = found.body.get("metrics") or []
    return [*lines, *(table(HEADERS, [_row(metric) for metric in metrics]) if metrics else [])]


HEADERS = ["Metric", "Verdict", "Candidate", "Stable", "Fail at", "Pass at"]


def _row(metric: dict[str, Any]) -> list[str]:
    return [
        str(metric.get("metric", NONE)),
        str(metric.get("verdict", NONE)),
        _rate(metric, "candidate"),
        _rate(metric, "stable"),
        _evidence(metric, "fail"),
        _evidence(metric, "pass"),
    ]


def _rate(metric: dict[str, Any], arm: str) -> str:
    return f"{metric.get(f'{arm}_bad', 0)}/{metric.get(f'{arm}_n', 0)}"


def _evidence(metric: dict[str, Any], side: str) -> str:
    """log e-value reached / needed."""
    reached, needed = metric.get(f"{side}_log_e"), metric.get(f"{side}_threshold")
    if not isinstance(reached, int | float) or not isinstance(needed, int | float):
        return NONE
    return f"{reached:.1f}/{needed:.1f}"
