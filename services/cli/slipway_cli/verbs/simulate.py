"""``slipway rollout simulate``: what a rollout would take, before it starts.

The product's own verdict code on synthetic traffic, beside the two fixed rules that tools use.
"""

from __future__ import annotations

from typing import Annotated

import typer

from slipway_cli.client import LiveTraffic, Session
from slipway_cli.errors import InvalidInput
from slipway_cli.find import find_model
from slipway_cli.options import names_of
from slipway_cli.resources import Kind
from slipway_cli.shell import Shell, shell_of
from slipway_contracts.rollout import Rollout

REQUESTS_PER_SECOND = 20.0
STABLE = 0.005
# Beside "as good as stable": worse by a little, and plainly broken.
CANDIDATES = (0.03, 0.10)


def simulate(
    ctx: typer.Context,
    rps: Annotated[
        float | None, typer.Option("--rps", help="Requests a second, over both versions.")
    ] = None,
    stable: Annotated[
        float | None, typer.Option(min=0, max=1, help="The stable version's share of bad answers.")
    ] = None,
    candidate: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="A candidate's share of bad answers (repeatable)."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Take this Model's rollout settings, and what is not given from its last hour.",
            autocompletion=names_of(Kind.MODEL),
        ),
    ] = None,
    rollouts: Annotated[int, typer.Option(min=1, max=10_000, help="How many to simulate.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same table.")] = 0,
) -> None:
    """Forecast time, requests and odds of promote, abort and undecided."""
    # numpy comes with these: only this verb waits for it.
    from slipway_cli import forecast
    from slipway_verdicts.simulate import simulate as run

    shell = shell_of(ctx)
    rollout, live = (Rollout(), None) if model is None else _of_model(shell, model)
    rate = rps if rps is not None else _rps(live)
    if rate <= 0:
        raise InvalidInput("--rps must be above 0")
    base = stable if stable is not None else _bad_share(live)
    for index, share in enumerate(candidate or [base, *CANDIDATES]):
        settings = forecast.settings_for(
            rollout, requests_per_second=rate, stable=base, candidate=share
        )
        with shell.terminal.busy(f"simulating {rollouts} rollouts"):
            result = run(settings, seed=seed, rollouts=rollouts)
        if index:
            shell.terminal.print()
        for line in forecast.lines(result):
            shell.terminal.print(line)


def _of_model(shell: Shell, name: str) -> tuple[Rollout, LiveTraffic | None]:
    async def work(session: Session) -> tuple[Rollout, LiveTraffic | None]:
        model = await find_model(session.objects, name, "rollout simulate --model")
        stable = model.status.stable
        live = await session.evidence.last_hour(name, stable) if stable is not None else None
        if live is None or not live.requests:
            shell.terminal.note(f"{name} had no traffic in the last hour; taking the defaults")
            live = None
        return model.spec.rollout, live

    return shell.run(work)


def _rps(live: LiveTraffic | None) -> float:
    return REQUESTS_PER_SECOND if live is None else live.requests_per_second


def _bad_share(live: LiveTraffic | None) -> float:
    return STABLE if live is None else live.bad / live.requests
