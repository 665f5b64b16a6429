"""``slipway status``: one screen of models, versions, traffic, processes and alerts."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.live.picture import Order
from slipway_cli.render import to_json
from slipway_cli.shell import shell_of

PrometheusOption = Annotated[
    str | None, typer.Option("--prometheus", metavar="URL", help="Take figures from this one.")
]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="Also versions that have ended.")]
SortOption = Annotated[
    Order, typer.Option("--sort", help="Versions inside their Model, highest first.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status")(status)


def status(
    ctx: typer.Context,
    prometheus: PrometheusOption = None,
    every: AllOption = False,
    sort: SortOption = Order.WEIGHT,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Show models, versions, weights, rates, errors, queues, processes and alerts."""
    # The metrics' parsers and the screen: other verbs need not load them.
    from slipway_cli.live.reading import prime, read_picture, source_of
    from slipway_cli.live.screen import screen

    shell = shell_of(ctx)
    source = source_of(shell, prometheus)

    async def work(session: Session) -> None:
        with shell.terminal.busy("measuring"):
            await prime(source)
            found = await read_picture(session, source, order=sort, every=every)
        if as_json:
            shell.terminal.print(to_json(found.body()))
        else:
            shell.terminal.draw(screen(found))

    shell.run(work)
