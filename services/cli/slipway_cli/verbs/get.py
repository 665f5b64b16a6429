"""``slipway get``: one object or all, as kubectl prints them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.columns import columns, rows
from slipway_cli.errors import InvalidInput, NotFound
from slipway_cli.options import Output, OutputOption, name_completion
from slipway_cli.render import table, to_json, to_yaml
from slipway_cli.resources import Kind, Resource, parse_kind
from slipway_cli.shell import shell_of
from slipway_cli.terminal import Terminal
from slipway_contracts.base import API_VERSION
from slipway_contracts.model_version import ModelVersion


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("get")(get)


def get(
    ctx: typer.Context,
    kind: Annotated[
        str, typer.Argument(metavar="KIND[/NAME]", help="models (mdl) or modelversions (mv).")
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Only this one.", autocompletion=name_completion),
    ] = None,
    output: OutputOption = Output.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Then print each change.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Only versions of this Model.")
    ] = None,
) -> None:
    """List Models or ModelVersions, or print one."""
    kind_text, _, inline = kind.partition("/")
    wanted, only = parse_kind(kind_text), name or inline or None
    if model is not None and wanted is not Kind.VERSION:
        raise InvalidInput("--model filters modelversions; use: slipway get mv --model NAME")
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        if only is not None:
            found: Sequence[Resource] = [await session.objects.get(wanted, only)]
        else:
            found = [r for r in await session.objects.list(wanted) if _of_model(r, model)]
        _print(terminal, found, kind=wanted, output=output, single=only is not None)
        if watch:
            await _follow(
                session, terminal, found, kind=wanted, only=only, model=model, output=output
            )

    shell_of(ctx).run(work)


def _of_model(resource: Resource, model: str | None) -> bool:
    return model is None or (isinstance(resource, ModelVersion) and resource.spec.model == model)


def _print(
    terminal: Terminal, found: Sequence[Resource], *, kind: Kind, output: Output, single: bool
) -> None:
    if output in {Output.YAML, Output.JSON}:
        body = found[0].sparse() if single else _list(found)
        terminal.print(to_yaml(body) if output is Output.YAML else to_json(body))
        return
    if not found:
        terminal.note(f"no {kind.plural} yet; `slipway apply -f FILE` makes some")
        return
    wide = output is Output.WIDE
    for line in table(
        [c.name for c in columns(kind, wide=wide)],
        rows(found, kind, wide=wide, now=datetime.now(UTC)),
    ):
        terminal.print(line)


def _list(found: Sequence[Resource]) -> dict[str, object]:
    """kubectl's envelope, so that the output can be applied again."""
    return {"apiVersion": API_VERSION, "kind": "List", "items": [r.sparse() for r in found]}


async def _follow(
    session: Session,
    terminal: Terminal,
    shown: Sequence[Resource],
    *,
    kind: Kind,
    only: str | None,
    model: str | None,
    output: Output,
) -> None:
    """Every change of what was listed, until Ctrl-C. Columns keep the first table's widths."""
    wide = output is Output.WIDE
    headers = [c.name for c in columns(kind, wide=wide)]
    seen = {r.metadata.name: r.metadata.resource_version for r in shown}
    known = {r.metadata.name: r for r in shown}
    async for changed, name in session.objects.changes():
        if changed is not kind or (only is not None and name != only):
            continue
        try:
            resource = await session.objects.get(kind, name)
        except NotFound:
            if known.pop(name, None) is not None:
                terminal.print(f"{name} deleted")
            continue
        version = resource.metadata.resource_version
        if seen.get(name) == version or not _of_model(resource, model):
            continue
        seen[name], known[name] = version, resource
        if output in {Output.YAML, Output.JSON}:
            body = resource.sparse()
            terminal.print(f"---\n{to_yaml(body)}" if output is Output.YAML else to_json(body))
            continue
        every = rows(list(known.values()), kind, wide=wide, now=datetime.now(UTC))
        terminal.print(table(headers, every)[1 + list(known).index(name)])
