"""``slipway jobs``: what the worker's queue holds, and dead jobs back into it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from slipway_cli.client import Session
from slipway_cli.errors import InvalidInput
from slipway_cli.options import Output, OutputOption
from slipway_cli.render import age, moment, table, to_json, to_yaml
from slipway_cli.shell import shell_of
from slipway_store.jobs import DeadJob, QueuedJob

LIMIT = 200


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="The worker's jobs.")
    group.command("list")(list_jobs)
    group.command("retry")(retry)
    app.add_typer(group, name="jobs")


def list_jobs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Of each sort.")] = LIMIT,
    output: OutputOption = Output.TABLE,
) -> None:
    """List jobs that were given up, then those that wait or run."""
    terminal = shell_of(ctx).terminal

    async def work(session: Session) -> None:
        dead = await session.jobs.dead(limit=limit)
        queued = await session.jobs.queued(limit=limit)
        if output in {Output.JSON, Output.YAML}:
            body = [*(_body(job, "dead") for job in dead), *(_body(j, j.state) for j in queued)]
            terminal.print(to_json(body) if output is Output.JSON else to_yaml(body))
            return
        now = datetime.now(UTC)
        cells = [*(_dead_row(job, now) for job in dead), *(_queued_row(job, now) for job in queued)]
        if not cells:
            terminal.note("no jobs wait, run or were given up")
            return
        headers = ["Id", "Kind", "Tenant", "State", "Attempts", "Age", "Reason"]
        for line in table(headers, cells):
            terminal.print(line)

    shell_of(ctx).run(work)


def retry(
    ctx: typer.Context,
    job: Annotated[
        list[int] | None, typer.Argument(metavar="ID", help="As `slipway jobs list` shows it.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead job.")] = False,
) -> None:
    """Queue dead jobs again, as if they were new."""
    terminal = shell_of(ctx).terminal
    if bool(job) == everything:
        raise InvalidInput("give the ids of dead jobs, or --all")

    async def work(session: Session) -> None:
        retried = await session.jobs.retry(None if everything else job)
        if not retried:
            terminal.note("there is no dead job")
        for number in retried:
            terminal.print(f"job {number} queued again")

    shell_of(ctx).run(work)


def _dead_row(job: DeadJob, now: datetime) -> list[str]:
    reason = job.reason.splitlines()[0] if job.reason else ""
    row = [str(job.id), job.kind, job.tenant or "-", "dead", str(job.attempts)]
    return [*row, age(job.created_at, now), reason]


def _queued_row(job: QueuedJob, now: datetime) -> list[str]:
    row = [str(job.id), job.kind, job.tenant or "-", job.state, str(job.attempts)]
    return [*row, age(job.created_at, now), ""]


def _body(job: DeadJob | QueuedJob, state: str) -> dict[str, Any]:
    body = asdict(job) | {"state": state}
    return {k: moment(v) if isinstance(v, datetime) else v for k, v in body.items()}
