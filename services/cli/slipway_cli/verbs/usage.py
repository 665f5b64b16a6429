"""``slipway usage``: requests, tokens and GPU-seconds by day, tenant, key, Model and version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import InvalidInput
from slipway_cli.options import Output, OutputOption
from slipway_cli.render import NONE, table, to_json, to_yaml
from slipway_cli.shell import shell_of
from slipway_store.usage import Usage


class By(StrEnum):
    """What a line is of."""

    DAY = "day"
    TENANT = "tenant"
    KEY = "key"
    MODEL = "model"
    VERSION = "version"


_FIELDS = {By.KEY: "key_id"}
DAYS = 7


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("usage")(usage)


def usage(
    ctx: typer.Context,
    first: Annotated[
        str | None, typer.Option("--from", help="First day (UTC), YYYY-MM-DD; else a week ago.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day (UTC), YYYY-MM-DD; else today.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this Model.")] = None,
    by: Annotated[
        list[By] | None, typer.Option(help="What a line is of (repeatable); else all.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print what was used. GPU-seconds are known where the operator has told a version's GPUs."""
    terminal = shell_of(ctx).terminal
    end = _day(last, "--to") or datetime.now(UTC).date()
    begin = _day(first, "--from") or end - timedelta(days=DAYS - 1)
    if begin > end:
        raise InvalidInput("--from: must not be after --to")
    groups = by or list(By)

    async def work(session: Session) -> None:
        lines = await session.usage.read(first=begin, last=end, tenant=tenant, model=model)
        summed = summarise(lines, groups)
        if output in {Output.JSON, Output.YAML}:
            terminal.print(to_json(summed) if output is Output.JSON else to_yaml(summed))
        elif summed:
            for line in table([_title(name) for name in summed[0]], _cells(summed)):
                terminal.print(line)
        else:
            terminal.note(f"nothing was used from {begin} to {end}")

    shell_of(ctx).run(work)


def summarise(lines: Sequence[Usage], groups: Sequence[By]) -> list[dict[str, object]]:
    """One entry for each combination of ``groups``, in their order. GPU-seconds that are not known
    make the sum unknown."""
    names = [_FIELDS.get(group, group.value) for group in groups]
    sums: dict[tuple[str, ...], dict[str, float | None]] = {}
    for line in lines:
        fields = asdict(line)
        key = tuple(str(fields[name]) for name in names)
        counted = {
            name: fields[name]
            for name in (
                *("requests", "cached", "attempts", "errors", "prompt_tokens"),
                *("completion_tokens", "gpu_seconds"),
            )
        }
        known = sums.get(key)
        sums[key] = counted if known is None else {n: _plus(known[n], counted[n]) for n in counted}
    return [{**dict(zip(names, key, strict=True)), **sums[key]} for key in sorted(sums)]


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _title(name: str) -> str:
    titles = {"key_id": "Key", "prompt_tokens": "Prompt", "completion_tokens": "Completion"}
    return titles.get(name, name.replace("_", "-"))


def _cells(summed: Sequence[dict[str, object]]) -> list[list[str]]:
    return [[_cell(value) for value in entry.values()] for entry in summed]


def _cell(value: object) -> str:
    if value is None or value == "":
        return NONE
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{option}: give a day such as 2026-05-31, not {text!r}") from None
