"""``slipway watch``: a rollout as it happens, one line a change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import CliError, NotFound
from slipway_cli.find import find
from slipway_cli.options import names_of
from slipway_cli.resources import Kind, Resource, label
from slipway_cli.shell import shell_of
from slipway_contracts.conditions import TERMINAL_PHASES, ConditionType, Phase, find_condition
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("watch")(watch)


def watch(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A ModelVersion (ends when it has settled) or a Model (until Ctrl-C).",
            autocompletion=names_of(Kind.VERSION, Kind.MODEL),
        ),
    ] = None,
) -> None:
    """Follow one version, the versions of one Model, or everything."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        focus = await find(session.objects, target) if target else None
        told: dict[tuple[Kind, str], str] = {}
        async for key in session.objects.changes():
            try:
                resource = await session.objects.get(*key)
            except NotFound:
                if told.pop(key, None) is not None:
                    terminal.print(f"{_clock()}  {key[0].short}/{key[1]}  deleted")
                    if focus is not None and key == (Kind(focus.kind), focus.metadata.name):
                        return
                continue
            if not _concerns(resource, focus):
                continue
            line = summary(resource)
            if told.get(key) != line:
                told[key] = line
                terminal.print(f"{_clock()}  {line}")
            if isinstance(focus, ModelVersion) and settled(resource):
                _outcome(resource)
                return

    shell_of(ctx).run(work)


def summary(resource: Resource) -> str:
    """One line: where it stands, its share, and why. Training progress is left to `logs`."""
    if isinstance(resource, Model):
        status = resource.status
        shares = ", ".join(f"{route.version} {route.weight} %" for route in status.routes)
        return f"{label(resource)}  {shares or 'nothing serves'}"
    version = resource.status
    rollout = version.rollout
    parts = [label(resource), version.phase.value]
    if rollout is not None and version.phase not in TERMINAL_PHASES:
        parts.append(f"{rollout.weight_observed} %")
    if version.evaluation is not None and version.phase is Phase.EVALUATING:
        parts.append(f"gates {version.evaluation.summary}")
    if version.reason and version.reason != version.phase.value:
        parts.append(version.reason)
    if rollout is not None and rollout.message:
        parts.append(rollout.message)
    elif version.phase in TERMINAL_PHASES:
        parts.append(_why(resource))
    return "  ".join(filter(None, parts))


def settled(resource: Resource) -> bool:
    """Whether the version has come to an end of its rollout that its newest spec asked for."""
    return (
        isinstance(resource, ModelVersion)
        and resource.status.observed_generation >= resource.metadata.generation
        and (resource.status.phase in TERMINAL_PHASES or resource.status.phase is Phase.SERVING)
    )


def _outcome(resource: Resource) -> None:
    if isinstance(resource, ModelVersion) and resource.status.phase not in {
        Phase.SERVING,
        Phase.SUPERSEDED,
    }:
        raise CliError(
            f"{label(resource)} ended as {resource.status.phase}; "
            f"see: slipway describe {label(resource)}"
        )


def _why(version: ModelVersion) -> str:
    """The message of the condition that the phase follows from."""
    for kind in (ConditionType.PROMOTED, ConditionType.EVALUATION_PASSED, ConditionType.ACCEPTED):
        found = find_condition(version.status.conditions, kind)
        if found is not None and found.reason == version.status.reason and found.message:
            return found.message
    return ""


def _concerns(resource: Resource, focus: Resource | None) -> bool:
    if focus is None:
        return True
    if isinstance(focus, Model) and isinstance(resource, ModelVersion):
        return resource.spec.model == focus.metadata.name
    return (resource.kind, resource.metadata.name) == (focus.kind, focus.metadata.name)


def _clock() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S")
