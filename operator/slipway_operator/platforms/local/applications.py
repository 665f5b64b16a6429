"""Desired backends ↔ Serve applications: pure functions over plain data.

An application belongs to a Model by the ``model`` in its arguments, so ownership survives any
restart. Its name is the backend's, a function of (version, uid, attempt): the arguments of a name
never change, and those that Serve has are kept, or an upgrade of Slipway would restart engines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway_contracts.backend import ENGINE_DEPLOYMENT, BackendArgs
from slipway_contracts.conditions import Reason
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.snapshot import BackendState
from slipway_operator.platforms.local.serve_rest import (
    ServeApplication,
    ServeDeployment,
    ServeStatus,
)
from slipway_operator.platforms.serving.applications import (
    application,
    application_args,
    failure_of,
    last_line,
    short,
)

# Serve says this of a replica that found no node for 30 s.
_UNSCHEDULED = re.compile(r"to be scheduled|Resources required")


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
    return application_args(app.deployed_app_config or {})


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
        prefix = f"/{backend.name}"
        new[backend.name] = application(backend, prefix=prefix, old=old.get(backend.name))
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
            message=f"{said}; {last_line(engine.message)}" if engine.message else said,
        )
    if not running and _UNSCHEDULED.search(engine.message):
        return Seen(
            state=BackendState.NO_CAPACITY,
            reason=Reason.INSUFFICIENT_CAPACITY,
            message=short(engine.message),
        )
    waits = "its first answers" if running else "the engine to load"
    return Seen(
        state=BackendState.STARTING,
        unwarmed=running,
        reason=Reason.STARTING,
        message=f"waiting for {waits}",
    )


def failure(app: ServeApplication) -> tuple[Reason, str]:
    """Reason and one useful line of an application that could not be deployed."""
    return failure_of([*(d.message for d in app.deployments.values() if d.message), app.message])


def _owner(app: ServeApplication) -> str | None:
    args = args_of(app)
    return args.model if args is not None else None


def _leaving(app: ServeApplication) -> bool:
    return app.status is ServeStatus.DELETING


def _holds_memory(app: ServeApplication) -> bool:
    return app.status is not ServeStatus.DEPLOY_FAILED
