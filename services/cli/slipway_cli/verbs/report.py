"""``slipway report``: a version's life as one HTML file that needs no network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import CliError
from slipway_cli.find import find_version
from slipway_cli.options import VersionArgument
from slipway_cli.shell import shell_of


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("report")(report)


def report(
    ctx: typer.Context,
    version: VersionArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file; - is stdout. Default: VERSION.html here."),
    ] = None,
) -> None:
    """Write a version's report: verdict, timeline, training, gates, canary, traffic, lineage."""
    # numpy comes with the verdicts' bounds: only this verb waits for it.
    from slipway_cli.report.material import gather
    from slipway_cli.report.page import page

    shell = shell_of(ctx)

    async def work(session: Session) -> tuple[str, str]:
        found = await find_version(session.objects, version, "report")
        with shell.terminal.busy(f"reading the life of {found.metadata.name}"):
            material = await gather(session, found, now=datetime.now(UTC))
        return found.metadata.name, page(material)

    name, html = shell.run(work)
    if output == Path("-"):
        shell.terminal.print(html, end="")
        return
    file = output or Path(f"{name}.html")
    try:
        file.write_text(html, encoding="utf-8")
    except OSError as error:
        raise CliError(
            f"{file} cannot be written ({error.strerror}); give another --output"
        ) from None
    shell.terminal.print(str(file))
