"""``slipway delete``: mark for deletion; the operator drains, then lets go."""

from __future__ import annotations

from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import InvalidInput, NotFound
from slipway_cli.find import find
from slipway_cli.manifests import read_manifests
from slipway_cli.options import name_completion
from slipway_cli.resources import Kind, parse_kind
from slipway_cli.shell import shell_of
from slipway_cli.verbs.wait import parse_timeout, until_met


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("delete")(delete)


def delete(
    ctx: typer.Context,
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND] NAME", help="mv NAME, mv/NAME, or NAME.")
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", hidden=True, autocompletion=name_completion),
    ] = None,
    filename: Annotated[
        list[str] | None,
        typer.Option("--filename", "-f", help="What a file, a folder or stdin (-) describes."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it is drained and gone.")] = True,
    timeout: Annotated[str, typer.Option(help="How long to wait, such as 90s.")] = "5m",
    ignore_not_found: Annotated[
        bool, typer.Option("--ignore-not-found", help="What is gone already is fine.")
    ] = False,
) -> None:
    """Delete objects. Streams that run are drained first."""
    limit = parse_timeout(timeout)
    terminal = shell_of(ctx).terminal
    listed = _from_files(filename or [])

    async def work(session: Session) -> None:
        targets = listed or await _named(session, kind, names or [], ignore_not_found)
        marked = []
        for target_kind, name in targets:
            try:
                await session.objects.delete(target_kind, name)
            except NotFound:
                if not ignore_not_found:
                    raise
            else:
                marked.append(f"{target_kind.short}/{name}")
        for target in marked:
            if wait:
                with terminal.busy(f"draining {target}"):
                    await until_met(session, target, None, limit=limit)
            terminal.print(f"{target} {'deleted' if wait else 'marked for deletion'}")

    shell_of(ctx).run(work)


def _from_files(filenames: list[str]) -> list[tuple[Kind, str]]:
    """Versions before their Models, so that the Model drains what it still routes."""
    resources = read_manifests(filenames) if filenames else []
    found = [(Kind(r.kind), r.metadata.name) for r in resources]
    return sorted(found, key=lambda target: target[0] is Kind.MODEL)


async def _named(
    session: Session, first: str | None, names: list[str], ignore_not_found: bool
) -> list[tuple[Kind, str]]:
    if first is None:
        raise InvalidInput("say what to delete: slipway delete mv NAME, or -f FILE")
    if names and "/" not in first:
        kind = parse_kind(first)
        return [(kind, name) for name in names]
    targets = []
    for target in (first, *names):
        try:
            found = await find(session.objects, target)
        except NotFound:
            if not ignore_not_found:
                raise
        else:
            targets.append((Kind(found.kind), found.metadata.name))
    return targets
