"""``slipway wait``: block until a phase, a condition or a deletion; for scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Annotated

import typer

from slipway_cli.client import Session
from slipway_cli.errors import CliError, InvalidInput, NotFound, TimedOut
from slipway_cli.find import find
from slipway_cli.options import TargetArgument
from slipway_cli.refusals import nearest
from slipway_cli.resources import Kind, Resource, label
from slipway_cli.shell import shell_of
from slipway_contracts.base import format_duration, parse_duration
from slipway_contracts.conditions import (
    TERMINAL_PHASES,
    ConditionStatus,
    ConditionType,
    Phase,
    find_condition,
)
from slipway_contracts.model_version import ModelVersion

DELETE = "delete"
# Seconds between two looks where nothing is told.
LOOK_AGAIN = 2.0


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("wait")(wait)


def wait(
    ctx: typer.Context,
    target: TargetArgument,
    until: Annotated[
        str,
        typer.Option(
            "--for", help="phase=Serving, condition=Ready, condition=Ready=False, delete."
        ),
    ] = f"phase={Phase.SERVING}",
    timeout: Annotated[str, typer.Option(help="How long, such as 90s or 10m.")] = "10m",
) -> None:
    """Wait for a state. Exits 1 at once when the version ended in another one, 6 on timeout."""
    goal = parse_goal(until)
    limit = parse_timeout(timeout)
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        with terminal.busy(f"waiting for {target} {until}"):
            await until_met(session, target, goal, limit=limit)
        terminal.print(f"{target} {until}")

    shell_of(ctx).run(work)


def parse_goal(text: str) -> Phase | tuple[ConditionType, ConditionStatus] | None:
    """``phase=…``, ``condition=TYPE[=STATUS]`` or ``delete`` (None). Raises InvalidInput."""
    what, _, value = text.partition("=")
    if text == DELETE:
        return None
    if what == "phase":
        return Phase(_member(value, [p.value for p in Phase], "phase"))
    if what == "condition":
        kind, _, status = value.partition("=")
        return (
            ConditionType(_member(kind, [c.value for c in ConditionType], "condition")),
            ConditionStatus(
                _member(status or "True", [s.value for s in ConditionStatus], "status")
            ),
        )
    raise InvalidInput(f"--for {text}: write phase=Serving, condition=Ready or delete")


def _member(value: str, members: list[str], what: str) -> str:
    for member in members:
        if member.lower() == value.lower():
            return member
    raise InvalidInput(f"--for: no {what} {value!r}{nearest(value, members)}")


def parse_timeout(text: str) -> timedelta:
    """Raises InvalidInput that shows the form."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput(f"--timeout: {error}") from None


async def until_met(
    session: Session,
    target: str,
    goal: Phase | tuple[ConditionType, ConditionStatus] | None,
    *,
    limit: timedelta,
) -> None:
    """Return when the goal is met. TimedOut after ``limit``; CliError when it cannot be met."""
    last: Resource | None = None
    try:
        async with asyncio.timeout(limit.total_seconds()):
            last = await find(session.objects, target)
            if _met(last, goal):
                return
            kind, name = Kind(last.kind), last.metadata.name
            async with aclosing(_looks(session, (kind, name))) as looks:
                async for _ in looks:
                    last = await session.objects.get(kind, name)
                    if _met(last, goal):
                        return
    except TimeoutError:
        state = f"; it is {_state(last)}" if last is not None else ""
        raise TimedOut(f"{target}: not after {format_duration(limit)}{state}") from None
    except NotFound:
        if goal is None:
            return
        raise


async def _looks(session: Session, wanted: tuple[Kind, str]) -> AsyncGenerator[None, None]:
    """When to look: after each change of the object, and now and then without one.

    What was deleted between the last look and the watch's beginning is in no change.
    """
    changes = aiter(session.objects.changes())
    coming: asyncio.Task[tuple[Kind, str]] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(changes))
            done, _ = await asyncio.wait({coming}, timeout=LOOK_AGAIN)
            if done:
                change, coming = coming.result(), None
                if change != wanted:
                    continue
            yield
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})


async def _next(changes: AsyncIterator[tuple[Kind, str]]) -> tuple[Kind, str]:
    return await anext(changes)


def _met(resource: Resource, goal: Phase | tuple[ConditionType, ConditionStatus] | None) -> bool:
    if goal is None:
        return False
    if isinstance(goal, tuple):
        kind, status = goal
        found = find_condition(resource.status.conditions, kind)
        return found is not None and found.status is status
    if not isinstance(resource, ModelVersion):
        raise InvalidInput(f"{label(resource)} has no phase; use --for condition=Ready")
    phase = resource.status.phase
    # An older generation's end is not the end: a retry was written and not yet seen.
    current = resource.status.observed_generation >= resource.metadata.generation
    if phase is not goal and phase in TERMINAL_PHASES and current:
        raise CliError(
            f"{label(resource)} ended as {phase} ({resource.status.reason}); "
            f"see: slipway describe {label(resource)}"
        )
    return phase is goal


def _state(resource: Resource) -> str:
    if isinstance(resource, ModelVersion):
        return f"{resource.status.phase} ({resource.status.reason or 'no reason yet'})"
    found = find_condition(resource.status.conditions, ConditionType.READY)
    return f"Ready={found.status} ({found.reason})" if found else "without conditions yet"
