"""``slipway keys``: create, rotate, revoke and list the gateway's API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import InvalidInput
from slipway_cli.limit_options import (
    Concurrency,
    RequestsPerMinute,
    TokensPerDay,
    TokensPerMinute,
    changed_limits,
    limits_line,
)
from slipway_cli.options import Output, OutputOption
from slipway_cli.render import NONE, age, moment, table, to_json, to_yaml
from slipway_cli.shell import shell_of
from slipway_contracts.base import parse_duration
from slipway_store.keys import Endpoint, KeyRecord, NewKey
from slipway_store.quotas import LimitRules, Quota


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="The gateway's API keys.")
    group.command("create")(create)
    group.command("rotate")(rotate)
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
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is (`slipway tenants`); else its name's own.")
    ] = None,
    endpoint: Annotated[
        list[Endpoint] | None,
        typer.Option(help="Only for this (repeatable); admin is only there by name."),
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=-100, max=100, help="Higher first; else the tenant's.")
    ] = None,
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    tokens_per_day: TokensPerDay = None,
    concurrency: Concurrency = None,
) -> None:
    """Make a key. The secret is printed to stdout, this once."""
    terminal = shell_of(ctx).terminal
    if not name.strip() or len(name) > 128:
        raise InvalidInput("NAME: give 1 to 128 characters")
    given = {
        Quota.REQUESTS_PER_MINUTE: requests_per_minute,
        Quota.TOKENS_PER_MINUTE: tokens_per_minute,
        Quota.TOKENS_PER_DAY: tokens_per_day,
        Quota.CONCURRENCY: concurrency,
    }
    new = NewKey(
        name=name,
        tenant=tenant,
        models=model or [],
        endpoints=endpoint or [],
        limits=changed_limits(LimitRules(), given),
        priority=priority,
        expires_at=_expiry(expires),
    )

    async def work(session: Session) -> None:
        record, secret = await session.keys.create(new)
        terminal.print(secret)
        terminal.note(f"key {record.id} ({name}): keep the secret, it cannot be shown again")

    shell_of(ctx).run(work)


def rotate(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `slipway keys list` shows it.")],
    grace: Annotated[str, typer.Option(help="The old secret stays good for so long.")] = "1h",
) -> None:
    """Give a key a new secret; scopes and limits stay. It is printed to stdout, this once."""
    terminal = shell_of(ctx).terminal
    length = _length(grace, "--grace")

    async def work(session: Session) -> None:
        record, secret = await session.keys.rotate(key_id, grace=length)
        terminal.print(secret)
        until = moment(record.retired_until)
        terminal.note(f"key {record.id}: the old secret is good until {until}")

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


def list_keys(
    ctx: typer.Context,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List keys; secrets are not kept anywhere."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        now = datetime.now(UTC)
        records = await session.keys.list(tenant=tenant)
        if output in {Output.JSON, Output.YAML}:
            body = [_body(record, now) for record in records]
            terminal.print(to_json(body) if output is Output.JSON else to_yaml(body))
        elif records:
            headers, cells = _cells(records, now, wide=output is Output.WIDE)
            for line in table(headers, cells):
                terminal.print(line)
        else:
            terminal.note("no keys yet; `slipway keys create NAME` makes one")

    shell_of(ctx).run(work)


def _cells(
    records: Sequence[KeyRecord], now: datetime, *, wide: bool
) -> tuple[list[str], list[list[str]]]:
    headers = ["Id", "Name", "Models", "State", "Age"]
    cells = [
        [r.id, r.name, ",".join(r.models) or "all", _state(r, now), age(r.created_at, now)]
        for r in records
    ]
    if wide:
        headers += ["Tenant", "Endpoints", "Limits", "Used"]
        for row, r in zip(cells, records, strict=True):
            used = NONE if r.last_used is None else r.last_used.isoformat()
            row += [r.tenant, ",".join(r.endpoints) or "all", limits_line(r.limits), used]
    return headers, cells


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.now(UTC) + _length(text, "--expires")
    except OverflowError as error:
        raise InvalidInput(f"--expires: {error}") from None


def _length(text: str, option: str) -> timedelta:
    try:
        return parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{option}: {error}") from None


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "live" if record.live(now) else "expired"


def _body(record: KeyRecord, now: datetime) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "tenant": record.tenant,
        "models": list(record.models),
        "endpoints": list(record.endpoints),
        "limits": record.limits.stored(),
        "state": _state(record, now),
        "createdAt": moment(record.created_at),
        "expiresAt": moment(record.expires_at) if record.expires_at else NONE,
        "oldSecretUntil": moment(record.retired_until) if record.retired_until else NONE,
        "lastUsed": record.last_used.isoformat() if record.last_used else NONE,
    }
