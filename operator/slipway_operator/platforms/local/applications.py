"""Desired backends ↔ Serve applications: pure functions over plain data.

An application belongs to a Model by the ``model`` in its arguments, so ownership survives any
restart. Its name is the backend's, a function of (version, uid, attempt): the arguments of a name
never change, and those that Serve has are kept, or an upgrade of Slipway would restart engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from slipway_contracts.backend import (
    BUILDERS,
    ENGINE_DEPLOYMENT,
    BackendArgs,
    parse_failure,
    scaling,
)
from slipway_contracts.conditions import Reason
from slipway_contracts.model import Task
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendState
from slipway_operator.platforms.local.serve_rest import (
    ServeApplication,
    ServeDeployment,
    ServeStatus,
)

_ERROR_LINE = re.compile(r"^\s*((?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit)\b.*)$")
_OUT_OF_MEMORY = re.compile(r"OutOfMemory|out of memory|OOM", re.IGNORECASE)
# Serve says this of a replica that found no node for 30 s.
_UNSCHEDULED = re.compile(r"to be scheduled|Resources required")
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``applications``: the whole next list. ``refused``: names without room, and why."""

    applications: tuple[dict[str, Any], ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One application judged. ``unwarmed``: running replicas that have not been warmed up."""

    state: BackendState
    ready_replicas: int = 0
    unwarmed: frozenset[str] = frozenset()
    reason: Reason | None = None
    message: str = ""


def args_of(app: ServeApplication) -> BackendArgs | None:
    """The arguments of an application of ours; None for anybody else's."""
    config = app.deployed_app_config or {}
    if config.get("import_path") not in BUILDERS.values():
        return None
    try:
        return BackendArgs.model_validate(config.get("args"))
    except ValidationError:
        return None


def plan(
    apps: Sequence[ServeApplication], model: str, *, desired: Sequence[DesiredBackend], limit: int
) -> Plan:
    """The next list of applications, of which this Model's are ``desired``.

    ``limit`` is how many engines the machine holds. One that is stopping still counts, as its
    memory does; one that failed does not. What is running is never the one that has no room.
    """
    configs = {app.name: app.deployed_app_config for app in apps if not _leaving(app)}
    old = {name: config for name, config in configs.items() if config is not None}
    mine = {app.name for app in apps if app.name in old and _owner(app) == model}
    new = {name: config for name, config in old.items() if name not in mine}
    busy = {app.name for app in apps if args_of(app) is not None and _holds_memory(app)}
    refused = {}
    for backend in desired:
        if backend.name not in mine and len(busy | {backend.name}) > limit:
            holders = ", ".join(sorted(busy))
            refused[backend.name] = (
                f"this machine runs {limit} engines at a time and has {holders}; wait until one "
                "ends, or raise SLIPWAY_OPERATOR_MAX_ENGINES"
            )
            continue
        busy.add(backend.name)
        new[backend.name] = _application(backend, old.get(backend.name))
    return Plan(applications=tuple(new.values()), refused=refused, changed=new != old)


def judge(app: ServeApplication, warmed: frozenset[str]) -> Seen:
    """What Serve says of the application, given the replicas that answered our own requests."""
    engine = app.deployments.get(ENGINE_DEPLOYMENT, ServeDeployment())
    running = frozenset(r.replica_id for r in engine.replicas if r.state == "RUNNING")
    if app.status is ServeStatus.DELETING:
        return Seen(state=BackendState.STOPPING, message="stopping")
    if app.status is ServeStatus.DEPLOY_FAILED:
        reason, message = failure(app)
        return Seen(state=BackendState.FAILED, reason=reason, message=message)
    if running & warmed:
        return Seen(
            state=BackendState.READY,
            ready_replicas=len(running & warmed),
            unwarmed=running - warmed,
        )
    if warmed:
        said = "the engine died and is started again" if not running else "the engine is back"
        return Seen(
            state=BackendState.UNHEALTHY,
            unwarmed=running,
            reason=Reason.BACKEND_LOST,
            message=f"{said}; {_last_line(engine.message)}" if engine.message else said,
        )
    if not running and _UNSCHEDULED.search(engine.message):
        return Seen(
            state=BackendState.NO_CAPACITY,
            reason=Reason.INSUFFICIENT_CAPACITY,
            message=_short(engine.message),
        )
    waits = "its first answers" if running else "the engine to load"
    return Seen(
        state=BackendState.STARTING,
        unwarmed=running,
        reason=Reason.STARTING,
        message=f"waiting for {waits}",
    )


def failure(app: ServeApplication) -> tuple[Reason, str]:
    """Reason and one useful line of an application that could not be deployed.

    The application's own message often says only which deployment failed; theirs say why.
    """
    texts = [*(d.message for d in app.deployments.values() if d.message), app.message]
    for text in texts:
        found = parse_failure(text)
        if found is not None:
            return found
    everything = "\n".join(reversed(texts))
    reason = Reason.OOM_KILLED if _OUT_OF_MEMORY.search(everything) else Reason.STARTUP_FAILED
    return reason, _last_line(everything)


def _application(backend: DesiredBackend, old: Mapping[str, Any] | None) -> dict[str, Any]:
    scaled = {"name": ENGINE_DEPLOYMENT, **scaling(backend.serving, backend.replicas)}
    if old is not None:
        return {**old, "deployments": [scaled]}
    args = BackendArgs(
        artifact=backend.artifact,
        model=backend.model,
        version=backend.version,
        serving=backend.serving,
    )
    return {
        "name": backend.name,
        "route_prefix": f"/{backend.name}",
        "import_path": BUILDERS[Task.TEXT_GENERATION],
        "args": args.wire(),
        "deployments": [scaled],
    }


def _owner(app: ServeApplication) -> str | None:
    args = args_of(app)
    return args.model if args is not None else None


def _leaving(app: ServeApplication) -> bool:
    return app.status is ServeStatus.DELETING


def _holds_memory(app: ServeApplication) -> bool:
    return app.status is not ServeStatus.DEPLOY_FAILED


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors: Iterable[str] = (line for line in reversed(lines) if _ERROR_LINE.match(line))
    return _short(next(iter(errors), lines[-1] if lines else "no message; read Ray's logs"))


def _short(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]
