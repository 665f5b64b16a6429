"""``slipway describe``: everything about one object, with what to do next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from slipway_cli import describing
from slipway_cli.client import Session
from slipway_cli.find import find
from slipway_cli.options import TargetArgument, name_completion
from slipway_cli.resources import Kind, parse_kind
from slipway_cli.shell import shell_of

EVENTS_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("describe")(describe)


def describe(
    ctx: typer.Context,
    target: TargetArgument,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="With a kind before it: KIND NAME.", autocompletion=name_completion
        ),
    ] = None,
) -> None:
    """Show one object in full: state, conditions, gates, rollout steps, history and events."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        if name is None:
            resource = await find(session.objects, target)
        else:
            resource = await session.objects.get(parse_kind(target), name)
        kind = Kind(resource.kind)
        events = await session.events.events(
            kind=kind, name=resource.metadata.name, limit=EVENTS_SHOWN
        )
        for line in describing.describe(resource, events, now=datetime.now(UTC)):
            terminal.print(line)

    shell_of(ctx).run(work)
