"""``slipway keys``: create, revoke and list the gateway's API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import InvalidInput
from slipway_cli.options import Output, OutputOption
from slipway_cli.render import NONE, age, moment, table, to_json, to_yaml
from slipway_cli.shell import shell_of
from slipway_contracts.base import parse_duration
from slipway_store.keys import KeyRecord


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="The gateway's API keys.")
    group.command("create")(create)
    group.command("revoke")(revoke)
    group.command("list")(list_keys)
    app.add_typer(group, name="keys")


def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose or what for.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="Only for this Model (repeatable).")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="After so long, such as 720h.")] = None,
) -> None:
    """Make a key. The secret is printed to stdout, this once."""
    terminal = shell_of(ctx).terminal
    expires_at = _expiry(expires)
    if not name.strip() or len(name) > 128:
        raise InvalidInput("NAME: give 1 to 128 characters")

    async def work(session: Session) -> None:
        record, secret = await session.keys.create(name, models=model or [], expires_at=expires_at)
        terminal.print(secret)
        terminal.note(f"key {record.id} ({name}): keep the secret, it cannot be shown again")

    shell_of(ctx).run(work)


def revoke(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `slipway keys list` shows it.")],
) -> None:
    """Make a key worthless at every gateway at once."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        await session.keys.revoke(key_id)
        terminal.print(f"key {key_id} revoked")

    shell_of(ctx).run(work)


def list_keys(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List keys; secrets are not kept anywhere."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        now = datetime.now(UTC)
        records = await session.keys.list()
        if output in {Output.JSON, Output.YAML}:
            body = [_body(record, now) for record in records]
            terminal.print(to_json(body) if output is Output.JSON else to_yaml(body))
        elif records:
            cells = [
                [r.id, r.name, ",".join(r.models) or "all", _state(r, now), age(r.created_at, now)]
                for r in records
            ]
            for line in table(["Id", "Name", "Models", "State", "Age"], cells):
                terminal.print(line)
        else:
            terminal.note("no keys yet; `slipway keys create NAME` makes one")

    shell_of(ctx).run(work)


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.now(UTC) + parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"--expires: {error}") from None


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "live" if record.live(now) else "expired"


def _body(record: KeyRecord, now: datetime) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "models": list(record.models),
        "state": _state(record, now),
        "createdAt": moment(record.created_at),
        "expiresAt": moment(record.expires_at) if record.expires_at else NONE,
    }
