"""``slipway logs``: what a version's runs, or a process of local mode, wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import InvalidInput, NotFound
from slipway_cli.find import find_version
from slipway_cli.options import names_of
from slipway_cli.resources import Kind
from slipway_cli.shell import shell_of
from slipway_cli.tail import follow, last_lines
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.names import child_name

RUN_LOG = "log"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("logs")(logs)


def logs(
    ctx: typer.Context,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="A ModelVersion: the logs of its runs.",
            autocompletion=names_of(Kind.VERSION),
        ),
    ] = None,
    process: Annotated[
        str | None, typer.Option("--process", "-p", help="A process instead, such as gateway.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Only this kind of run: train, import, eval or probe."),
    ] = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Print what comes.")] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, help="Only the last lines of each log.")
    ] = None,
) -> None:
    """Print the logs of a version's runs, oldest run first, or those of a process."""
    shell = shell_of(ctx)
    terminal = shell.terminal
    if (version is None) == (process is None):
        raise InvalidInput("give a VERSION or --process NAME, one of the two")
    if process is not None:
        files = process_logs(shell.layout.logs, process)
    else:
        target = str(version)

        async def work(session: Session) -> ModelVersion:
            return await find_version(session.objects, target, "logs")

        found = shell.run(work)
        files = run_logs(shell.layout.home / "runs", found, kind=run)
    for file in files:
        if len(files) > 1:
            terminal.note(f"==> {_title(file)} <==")
        for line in last_lines(file, tail):
            terminal.print(line)
    if follow_on:
        for file, line in follow(files):
            prefix = f"{_title(file)}: " if len(files) > 1 else ""
            terminal.print(prefix + line)


def run_logs(runs: Path, version: ModelVersion, *, kind: str | None) -> list[Path]:
    """Logs of the version's current attempt, by start. Raises NotFound where nothing ran yet."""
    name, status = version.metadata.name, version.status
    # A run is named VERSION-HASH-KIND[-TAG]; long version names are cut, the hash never is.
    mark = child_name(name, version.metadata.uid, status.attempt).rpartition("-")[2]
    folder = runs / version.spec.model
    found = [
        path
        for path in folder.glob(f"*/{RUN_LOG}")
        if (rest := path.parent.name.partition(f"-{mark}-")[2])
        and kind in {None, rest.partition("-")[0]}
    ]
    if not found:
        what = f"{kind} run" if kind else "run"
        raise NotFound(f"mv/{name} has no {what} with a log yet (it is {status.phase})")
    return sorted(found, key=lambda path: path.stat().st_ctime)


def process_logs(folder: Path, process: str) -> list[Path]:
    """``gateway`` matches every gateway process. Raises NotFound that lists what there is."""
    every = sorted(folder.glob("*.log"))
    found = [p for p in every if p.stem == process] or [
        p for p in every if p.stem.startswith(f"{process}-")
    ]
    if not found:
        names = ", ".join(p.stem for p in every) or "none; run `slipway up` first"
        raise NotFound(f"no process {process!r} has a log; there are: {names}")
    return found


def _title(file: Path) -> str:
    return file.parent.name if file.name == RUN_LOG else file.stem
