"""``slipway tenants``: whose keys they are, with priority, share, text policy and limits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
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
from slipway_cli.render import NONE, moment, table, to_json, to_yaml
from slipway_cli.shell import shell_of
from slipway_store.quotas import Quota
from slipway_store.tenants import NAME, Tenant, TenantSettings


class TextPolicy(StrEnum):
    """What the log keeps of prompts and answers."""

    FULL = "full"
    HASHED = "hashed"
    NONE = "none"
    DEFAULT = "default"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The tenant.")]
Priority = Annotated[
    int | None, typer.Option(min=-100, max=100, help="Higher is served first.", show_default=False)
]
Weight = Annotated[
    float | None, typer.Option(min=0.001, max=1000, help="Share under load.", show_default=False)
]
Policy = Annotated[
    TextPolicy | None,
    typer.Option(help="Of prompts and answers in the log; default: the gateway's own."),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Tenants: whose keys they are.")
    group.command("create")(create)
    group.command("set")(change)
    group.command("delete")(delete)
    group.command("list")(list_tenants)
    app.add_typer(group, name="tenants")


def create(
    ctx: typer.Context,
    name: Name,
    priority: Priority = None,
    weight: Weight = None,
    text_policy: Policy = None,
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    tokens_per_day: TokensPerDay = None,
    concurrency: Concurrency = None,
) -> None:
    """Make a tenant; `slipway keys create NAME --tenant TENANT` gives it keys."""
    shell = shell_of(ctx)
    if not NAME.fullmatch(name):
        raise InvalidInput("NAME: 1 to 128 letters, digits and ._@:- that begin with no sign")
    limits = _limits(requests_per_minute, tokens_per_minute, tokens_per_day, concurrency)
    settings = _changed(TenantSettings(), priority, weight, text_policy, limits)

    async def work(session: Session) -> None:
        await session.tenants.create(name, settings)
        shell.terminal.print(f"tenant {name} created")

    shell.run(work)


def change(
    ctx: typer.Context,
    name: Name,
    priority: Priority = None,
    weight: Weight = None,
    text_policy: Policy = None,
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    tokens_per_day: TokensPerDay = None,
    concurrency: Concurrency = None,
) -> None:
    """Change what is given; the rest stays. Every gateway applies it within a second."""
    shell = shell_of(ctx)
    limits = _limits(requests_per_minute, tokens_per_minute, tokens_per_day, concurrency)

    async def work(session: Session) -> None:
        before = await session.tenants.get(name)
        settings = _changed(before.settings, priority, weight, text_policy, limits)
        await session.tenants.change(name, settings)
        shell.terminal.print(f"tenant {name} changed")

    shell.run(work)


def delete(ctx: typer.Context, name: Name) -> None:
    """Delete a tenant that has no living keys; its usage stays."""
    shell = shell_of(ctx)

    async def work(session: Session) -> None:
        await session.tenants.delete(name)
        shell.terminal.print(f"tenant {name} deleted")

    shell.run(work)


def list_tenants(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List tenants with their settings."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        tenants = await session.tenants.list()
        if output in {Output.JSON, Output.YAML}:
            body = [_body(tenant) for tenant in tenants]
            terminal.print(to_json(body) if output is Output.JSON else to_yaml(body))
        elif tenants:
            for line in table(["Name", "Priority", "Weight", "Texts", "Limits"], _rows(tenants)):
                terminal.print(line)
        else:
            terminal.note("no tenants yet; `slipway tenants create NAME` makes one")

    shell_of(ctx).run(work)


def _rows(tenants: Sequence[Tenant]) -> list[list[str]]:
    return [
        [
            tenant.name,
            str(tenant.settings.priority),
            f"{tenant.settings.weight:g}",
            tenant.settings.text_policy or NONE,
            limits_line(tenant.settings.limits),
        ]
        for tenant in tenants
    ]


def _limits(*given: int | None) -> dict[Quota, int | None]:
    """In the order of ``Quota``."""
    return dict(zip(Quota, given, strict=True))


def _changed(
    before: TenantSettings,
    priority: int | None,
    weight: float | None,
    text_policy: TextPolicy | None,
    limits: dict[Quota, int | None],
) -> TenantSettings:
    match text_policy:
        case None:
            policy = before.text_policy
        case TextPolicy.DEFAULT:
            policy = None
        case _:
            policy = text_policy.value
    return TenantSettings(
        priority=before.priority if priority is None else priority,
        weight=before.weight if weight is None else weight,
        text_policy=policy,
        limits=changed_limits(before.limits, limits),
    )


def _body(tenant: Tenant) -> dict[str, object]:
    return {
        "name": tenant.name,
        "priority": tenant.settings.priority,
        "weight": tenant.settings.weight,
        "textPolicy": tenant.settings.text_policy,
        "limits": tenant.settings.limits.stored(),
        "createdAt": moment(tenant.created_at),
    }
