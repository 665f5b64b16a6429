"""``slipway events``: what happened, to one object or to all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.describing import event_lines
from slipway_cli.resources import Kind, parse_target
from slipway_cli.shell import shell_of

POLL_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("events")(events)


def events(
    ctx: typer.Context,
    target: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only of this object (mv/NAME, NAME).")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Then print each new one.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 200,
) -> None:
    """Print the event list, oldest first."""
    terminal = shell_of(ctx).terminal
    kind, name = parse_target(target) if target else (None, None)

    async def work(session: Session) -> None:
        last = await _print(session, after=0, kind=kind, name=name, limit=limit)
        if not last and not watch:
            terminal.note("no events")
        while watch:
            await asyncio.sleep(POLL_SECONDS)
            last = await _print(session, after=last, kind=kind, name=name, limit=10_000)

    async def _print(
        session: Session, *, after: int, kind: Kind | None, name: str | None, limit: int
    ) -> int:
        found = await session.events.events(kind=kind, name=name, after=after, limit=limit)
        lines = event_lines(found, now=datetime.now(UTC), named=True)
        for line in lines[1:] if after else lines:
            terminal.print(line)
        return found[-1].id if found else after

    shell_of(ctx).run(work)
