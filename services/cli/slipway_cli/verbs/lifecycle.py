"""The verbs that steer a rollout; each is one declarative field of a spec.

pause, resume, abort, approve and retry write to a ModelVersion; promote, undo, unpin and rollback
to its Model. The operator does the rest, so a verb returns as soon as the wish is written.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import typer

from slipway_cli.client import ObjectClient, Session
from slipway_cli.errors import Conflict
from slipway_cli.find import change, find_model, find_version
from slipway_cli.options import ModelArgument, VersionArgument
from slipway_cli.resources import Kind
from slipway_cli.shell import shell_of
from slipway_contracts.conditions import TERMINAL_PHASES, Phase
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion

Fields = dict[str, Any]
RETRIABLE = frozenset({Phase.REJECTED, Phase.FAILED, Phase.ROLLED_BACK, Phase.RETIRED})


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (pause, resume, abort, approve, retry, promote, rollback, undo, unpin):
        app.command(verb.__name__)(verb)


def pause(ctx: typer.Context, version: VersionArgument) -> None:
    """Hold a version where it is; its clocks stop."""
    _steer(ctx, version, "pause", pausing, "paused")


def resume(ctx: typer.Context, version: VersionArgument) -> None:
    """Go on after a pause."""
    _steer(ctx, version, "resume", resuming, "resumed")


def abort(ctx: typer.Context, version: VersionArgument) -> None:
    """Take a candidate's traffic back and end its rollout."""
    _steer(ctx, version, "abort", aborting, "aborted")


def approve(ctx: typer.Context, version: VersionArgument) -> None:
    """Say yes where an evaluation or a step asks for it."""
    _steer(ctx, version, "approve", approving, "approved")


def retry(ctx: typer.Context, version: VersionArgument) -> None:
    """Begin a new attempt at a version that ended."""
    nonce = secrets.token_hex(4)
    _steer(ctx, version, "retry", lambda found: retrying(found, nonce), "retried")


def promote(ctx: typer.Context, version: VersionArgument) -> None:
    """Send all traffic to a version now and keep it there (spec.pinnedVersion of its Model)."""

    async def work(session: Session) -> str:
        found = await find_version(session.objects, version, "promote")
        name = found.metadata.name
        refuse_promotion(found)
        model = await session.objects.get(Kind.MODEL, found.spec.model)
        return await _pin(session.objects, model, name)

    _say(ctx, work)


def rollback(ctx: typer.Context, model: ModelArgument) -> None:
    """Abort the Model's candidate; without one, go back to the version before."""

    async def work(session: Session) -> str:
        found = await find_model(session.objects, model, "rollback")
        if found.status.candidate is None:
            return await _undo(session.objects, found)
        candidate = await find_version(session.objects, found.status.candidate, "abort")
        written = await change(session.objects, candidate, aborting)
        return f"mv/{candidate.metadata.name} {'aborted' if written else 'was aborted already'}"

    _say(ctx, work)


def undo(ctx: typer.Context, model: ModelArgument) -> None:
    """Go back to the version that served before (spec.pinnedVersion)."""

    async def work(session: Session) -> str:
        return await _undo(session.objects, await find_model(session.objects, model, "undo"))

    _say(ctx, work)


def unpin(ctx: typer.Context, model: ModelArgument) -> None:
    """Take spec.pinnedVersion off again, so that rollouts decide."""

    async def work(session: Session) -> str:
        found = await find_model(session.objects, model, "unpin")
        written = await change(session.objects, found, unpinning)
        return f"mdl/{model} {'unpinned' if written else 'was not pinned'}"

    _say(ctx, work)


def pausing(version: ModelVersion) -> Fields | None:
    """Raises Conflict on a version that ended."""
    _refuse_ended(version, "pause")
    return _state(version, "Paused")


def resuming(version: ModelVersion) -> Fields | None:
    """Raises Conflict on an aborted version: that needs a new attempt."""
    if version.spec.desired_state in {"Aborted", "Retired"}:
        name, wanted = version.metadata.name, version.spec.desired_state
        raise Conflict(f"mv/{name} is {wanted}, not paused; start it again: slipway retry {name}")
    return _state(version, "Active")


def aborting(version: ModelVersion) -> Fields | None:
    """Nothing to do on what ended already. Raises Conflict on the version that serves."""
    name, phase = version.metadata.name, version.status.phase
    if phase is Phase.SERVING:
        raise Conflict(
            f"mv/{name} serves; to go back to the version before it: "
            f"slipway undo {version.spec.model}"
        )
    return None if phase in TERMINAL_PHASES else _state(version, "Aborted")


def approving(version: ModelVersion) -> Fields | None:
    """Granting twice changes nothing."""
    _refuse_ended(version, "approve")
    return None if version.spec.approval.granted else {"approval": {"granted": True}}


def retrying(version: ModelVersion, nonce: str) -> Fields:
    """A new nonce, and Active again. Raises Conflict on a version that has not ended."""
    phase = version.status.phase
    if phase not in RETRIABLE:
        name = version.metadata.name
        raise Conflict(
            f"mv/{name} is {phase}; retry is for a version that was rejected, rolled back or "
            "failed, or that was retired"
        )
    return {"retry": {"id": nonce}, "desiredState": "Active"}


def refuse_promotion(version: ModelVersion) -> None:
    """Raises Conflict on a version that has nothing to serve."""
    name, phase = version.metadata.name, version.status.phase
    if phase in {Phase.REJECTED, Phase.FAILED, Phase.ROLLED_BACK, Phase.RETIRED}:
        raise Conflict(f"mv/{name} is {phase}; begin again first: slipway retry {name}")
    if version.status.artifact is None:
        raise Conflict(f"mv/{name} has no artifact yet ({phase}); wait until it was evaluated")


def pinning(model: Model, name: str) -> Fields | None:
    """Pinning twice changes nothing. Raises Conflict beside a fixed split."""
    if model.spec.traffic:
        raise Conflict(
            f"mdl/{model.metadata.name} has a fixed spec.traffic; remove it from the manifest and "
            "apply that first"
        )
    return None if model.spec.pinned_version == name else {"pinnedVersion": name}


def unpinning(model: Model) -> Fields | None:
    """Nothing to do without a pin."""
    return None if model.spec.pinned_version is None else {"pinnedVersion": None}


def previous_stable(model: Model, versions: list[ModelVersion]) -> str | None:
    """The version that served before the one that serves now, or None."""
    if model.status.previous is not None:
        return model.status.previous
    superseded = [
        (version.status.rollout.promoted_at, version.metadata.name)
        for version in versions
        if version.spec.model == model.metadata.name
        and version.status.phase is Phase.SUPERSEDED
        and version.status.rollout is not None
        and version.status.rollout.promoted_at is not None
    ]
    return max(superseded)[1] if superseded else None


def _state(version: ModelVersion, wanted: str) -> Fields | None:
    return None if version.spec.desired_state == wanted else {"desiredState": wanted}


def _refuse_ended(version: ModelVersion, verb: str) -> None:
    phase = version.status.phase
    if phase in TERMINAL_PHASES or phase is Phase.SERVING:
        raise Conflict(f"mv/{version.metadata.name} is {phase}; there is nothing to {verb}")


async def _undo(objects: ObjectClient, model: Model) -> str:
    versions = [v for v in await objects.list(Kind.VERSION) if isinstance(v, ModelVersion)]
    before = previous_stable(model, versions)
    if before is None:
        now = model.status.stable or "the first"
        raise Conflict(
            f"mdl/{model.metadata.name} has no version before {now}; "
            "choose one: slipway promote VERSION"
        )
    return await _pin(objects, model, before)


async def _pin(objects: ObjectClient, model: Any, name: str) -> str:
    written = await change(objects, model, lambda found: pinning(found, name))
    what = f"mdl/{model.metadata.name} pinned to {name}"
    again = f"; rollouts decide again after: slipway unpin {model.metadata.name}"
    return (what if written else f"{what} already") + again


def _steer(
    ctx: typer.Context,
    target: str,
    verb: str,
    edit: Callable[[ModelVersion], Fields | None],
    done: str,
) -> None:
    async def work(session: Session) -> str:
        version = await find_version(session.objects, target, verb)
        written = await change(session.objects, version, edit)
        name = version.metadata.name
        return f"mv/{name} {done}" if written else f"mv/{name}: nothing to {verb}"

    _say(ctx, work)


def _say(ctx: typer.Context, work: Callable[[Session], Awaitable[str]]) -> None:
    shell = shell_of(ctx)
    shell.terminal.print(shell.run(work))
