"""``slipway top``: the screen of ``status``, live. In a pipe it prints once and ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

import typer
from rich.live import Live

from slipway_cli.client import Session
from slipway_cli.live.picture import Order
from slipway_cli.shell import Shell, shell_of
from slipway_cli.verbs.status import AllOption, PrometheusOption, SortOption


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("top")(top)


def top(
    ctx: typer.Context,
    prometheus: PrometheusOption = None,
    every: AllOption = False,
    sort: SortOption = Order.RATE,
    interval: Annotated[
        float, typer.Option(min=0.5, max=3600, help="Seconds between two looks.")
    ] = 2.0,
) -> None:
    """Show `status` live, busiest first; q quits."""
    from slipway_cli.live.reading import prime, read_picture, source_of
    from slipway_cli.live.screen import screen

    shell = shell_of(ctx)
    source = source_of(shell, prometheus)

    async def work(session: Session) -> None:
        if not shell.terminal.out.is_terminal:
            await prime(source, wait=interval)
            found = await read_picture(session, source, order=sort, every=every)
            shell.terminal.draw(screen(found))
            return
        await _live(shell, session)

    async def _live(shell: Shell, session: Session) -> None:
        from slipway_cli.live.keys import quitting  # termios is not everywhere

        with (
            quitting("q", "Q", "\x03") as pressed,
            Live(console=shell.terminal.out, screen=True, auto_refresh=False) as view,
        ):
            while not pressed.is_set():
                found = await read_picture(session, source, order=sort, every=every)
                view.update(screen(found), refresh=True)
                with suppress(TimeoutError):
                    await asyncio.wait_for(pressed.wait(), interval)

    shell.run(work)
