"""Options and arguments that several verbs share, with their shell completion."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.resources import Kind, parse_kind
from slipway_cli.shell import Shell

COMPLETION_SECONDS = 2.0


class Output(StrEnum):
    """``-o``."""

    TABLE = "table"
    WIDE = "wide"
    YAML = "yaml"
    JSON = "json"


def names_of(*kinds: Kind) -> Callable[[typer.Context, str], list[str]]:
    """Completion: names of the kinds. Whatever goes wrong, a Tab prints nothing."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        shell = ctx.obj if isinstance(ctx.obj, Shell) else Shell()

        async def work(session: Session) -> list[str]:
            async with asyncio.timeout(COMPLETION_SECONDS):
                return [r.metadata.name for kind in kinds for r in await session.objects.list(kind)]

        with contextlib.suppress(Exception):
            return sorted(n for n in set(shell.run(work)) if n.startswith(incomplete))
        return []

    return complete


def name_completion(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the kind that the argument before says."""
    with contextlib.suppress(Exception):
        return names_of(parse_kind(str(ctx.params.get("kind", ""))))(ctx, incomplete)
    return []


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How to print.", case_sensitive=False)
]
VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="A ModelVersion.", autocompletion=names_of(Kind.VERSION)
    ),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A Model.", autocompletion=names_of(Kind.MODEL))
]
TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A ModelVersion or a Model; mv/NAME or mdl/NAME where both exist.",
        autocompletion=names_of(Kind.VERSION, Kind.MODEL),
    ),
]
