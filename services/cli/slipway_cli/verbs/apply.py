"""``slipway apply``: create or configure what YAML describes, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from slipway_cli.client import ObjectClient, Session
from slipway_cli.errors import CliError
from slipway_cli.manifests import read_manifests
from slipway_cli.plan import Action, Change, plan_apply
from slipway_cli.resources import Kind, Resource, label
from slipway_cli.shell import shell_of
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("apply")(apply)


def apply(
    ctx: typer.Context,
    filename: Annotated[
        list[str],
        typer.Option("--filename", "-f", help="A file, a folder of YAML, or - for stdin."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; write nothing.")] = False,
) -> None:
    """Create or configure Models and ModelVersions; all is checked before anything is written."""
    resources = read_manifests(filename)
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        stored = await _stored(session.objects)
        changes = plan_apply(resources, stored)
        done: list[str] = []
        for change in changes:
            if not dry_run:
                await _write(session.objects, change, done)
            done.append(f"{label(change.resource)} {change.action}")
            terminal.print(done[-1] + (" (dry run)" if dry_run else ""))
        names = {key[1] for key in stored if key[0] is Kind.MODEL}
        for warning in _missing_models(resources, names):
            terminal.note(warning)

    shell_of(ctx).run(work)


async def _stored(objects: ObjectClient) -> dict[tuple[Kind, str], Resource]:
    return {
        (kind, resource.metadata.name): resource
        for kind in Kind
        for resource in await objects.list(kind)
    }


async def _write(objects: ObjectClient, change: Change, done: Sequence[str]) -> None:
    """One change; should it fail after others were written, the error says which those are."""
    try:
        if change.current is None:
            await objects.create(change.resource, change.spec)
        elif change.action is Action.CONFIGURED:
            labels = change.resource.metadata.labels
            await objects.update_spec(change.current, change.spec, labels=labels)
    except CliError as error:
        written = f"; already written: {', '.join(done)}" if done else "; nothing was applied"
        raise type(error)(f"{label(change.resource)}: {error}{written}") from None


def _missing_models(resources: Sequence[Resource], stored: set[str]) -> list[str]:
    known = stored | {r.metadata.name for r in resources if isinstance(r, Model)}
    return [
        f"note: Model {r.spec.model} does not exist yet; {label(r)} waits for it"
        for r in resources
        if isinstance(r, ModelVersion) and r.spec.model not in known
    ]
