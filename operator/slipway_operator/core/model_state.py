"""The Model's own status, a projection of its versions' statuses and of the route."""

from __future__ import annotations

from slipway_contracts.conditions import (
    ConditionType,
    Phase,
    Reason,
    find_condition,
)
from slipway_contracts.model import Model, ModelStatus, RouteStatus
from slipway_contracts.route import ModelRoute
from slipway_operator.core.draft import FALSE, TRUE, Draft, Said, VersionDraft, stated
from slipway_operator.core.leftovers import leftovers
from slipway_operator.core.policies.report import traffic_reason
from slipway_operator.core.policies.watch import watch_until
from slipway_operator.core.snapshot import BackendState
from slipway_operator.core.traffic import settled


def model_status(draft: Draft, model: Model, route: ModelRoute | None) -> ModelStatus:
    """What ``kubectl get model`` shows."""
    roles, routes = draft.roles, draft.snapshot.routes
    entries = route.backends if route is not None else ()
    status = model.status.model_copy(
        update={
            "observed_generation": model.metadata.generation,
            "stable": _name(roles.stable),
            "candidate": _name(roles.candidate),
            "previous": _name(roles.previous),
            "watch_until": watch_until(roles.stable),
            "routes": tuple(
                RouteStatus(version=entry.version, weight=entry.weight, endpoint=entry.url)
                for entry in entries
            ),
            "routes_revision": routes.revision,
            "routes_applied": routes.applied,
            "leftovers": leftovers(
                draft, frozenset(entry.url for entry in entries), settled=settled(draft)
            ),
        }
    )
    conditions = status.conditions
    for kind, said in _conditions(draft, model, route=route).items():
        conditions = stated(
            conditions, kind, said, now=draft.now, generation=model.metadata.generation
        )
    status = status.model_copy(update={"conditions": conditions})
    return model.status if status == model.status else status


def _name(v: VersionDraft | None) -> str | None:
    return v.name if v is not None else None


def _conditions(
    draft: Draft, model: Model, *, route: ModelRoute | None
) -> dict[ConditionType, Said]:
    reason, message = traffic_reason(draft, route)
    applied = TRUE if reason is Reason.ROUTES_APPLIED else FALSE
    return {
        ConditionType.READY: _ready(draft, route),
        ConditionType.TRAFFIC_APPLIED: (applied, reason, message),
        ConditionType.DEGRADED: _copied(draft.roles.stable, ConditionType.DEGRADED),
        ConditionType.STALLED: _stalled(draft, model),
    }


def _ready(draft: Draft, route: ModelRoute | None) -> Said:
    entries = route.backends if route is not None else ()
    backends = draft.snapshot.backends.values()
    ready = {seen.url for seen in backends if seen.state is BackendState.READY}
    answering = [e.version for e in entries if e.weight and e.url in ready]
    if answering:
        return TRUE, Reason.SERVING, f"{', '.join(answering)} answers"
    if entries or draft.roles.stable is not None:
        return (
            FALSE,
            Reason.BACKEND_LOST,
            "no backend answers; the platform starts it again, read its log",
        )
    return FALSE, Reason.NOT_SERVING, "no version serves yet; apply a ModelVersion"


def _stalled(draft: Draft, model: Model) -> Said:
    """The candidate is stuck, or the Model asks for a version that cannot be had."""
    wanted = model.spec.pinned_version
    problem = _cannot_serve(draft, wanted) if wanted else ""
    if problem:
        return TRUE, Reason.PINNED, f"spec.pinnedVersion: {problem}, or clear the pin"
    problems = [_cannot_serve(draft, share.version) for share in model.spec.traffic]
    if any(problems):
        said = "; ".join(problem for problem in problems if problem)
        return TRUE, Reason.FIXED_TRAFFIC, f"spec.traffic: {said}, or name another"
    return _copied(draft.roles.candidate, ConditionType.STALLED)


def _cannot_serve(draft: Draft, name: str) -> str:
    v = draft.versions.get(name)
    if v is None:
        return f"{name} does not exist; apply it"
    outcome = v.status.outcome
    if outcome is None or outcome.phase is Phase.SUPERSEDED:
        return ""
    return f"{name} is {outcome.phase}; set its spec.retry.id"


def _copied(v: VersionDraft | None, kind: ConditionType) -> Said:
    """What its version says, where that is true."""
    found = find_condition(v.status.conditions, kind) if v is not None else None
    if v is not None and found is not None and found.status is TRUE:
        return TRUE, found.reason, f"{v.name}: {found.message}"
    return FALSE, Reason.HEALTHY, ""
