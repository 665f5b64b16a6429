"""The end of a pass: what people read. Weights, Ready, TrafficApplied, phase, generation."""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Reason
from slipway_contracts.route import ModelRoute
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.phases import phase_of
from slipway_operator.core.snapshot import BackendState
from slipway_operator.core.traffic import route_for, same_route


def report(draft: Draft) -> None:
    """Every version."""
    route = route_for(draft)
    desired = {entry.version: entry.weight for entry in route.backends} if route else {}
    applied = applied_weights(draft)
    for v in draft:
        if v.rollout is not None:
            v.set_rollout(
                weight_desired=desired.get(v.name, 0),
                weight_observed=(
                    v.rollout.weight_observed if applied is None else applied.get(v.name, 0)
                ),
            )
        _traffic(draft, v, route)
        _ready(v, weight=desired.get(v.name, 0))
        v.set(phase=phase_of(draft, v), observed_generation=v.obj.metadata.generation)


def applied_weights(draft: Draft) -> dict[str, int] | None:
    """What every live gateway applies; None while that cannot be said."""
    routes = draft.snapshot.routes
    if routes.stored is None or not routes.live_gateways or routes.applied < routes.revision:
        return None
    return {entry.version: entry.weight for entry in routes.stored.backends}


def traffic_reason(draft: Draft, route: ModelRoute | None) -> tuple[Reason, str]:
    """How far the last route has come."""
    routes = draft.snapshot.routes
    if not routes.live_gateways:
        return Reason.GATEWAY_UNAVAILABLE, "no gateway is alive; start one"
    if routes.applied < routes.revision or not same_route(routes.stored, route):
        return Reason.ROUTES_PENDING, "not every live gateway has applied the last routes yet"
    return Reason.ROUTES_APPLIED, "every live gateway applies the routes"


def _traffic(draft: Draft, v: VersionDraft, route: ModelRoute | None) -> None:
    if v.rollout is None or v.over:
        return
    reason, message = traffic_reason(draft, route)
    status = TRUE if reason is Reason.ROUTES_APPLIED else FALSE
    v.condition(ConditionType.TRAFFIC_APPLIED, status, reason=reason, message=message)


def _ready(v: VersionDraft, *, weight: int) -> None:
    if weight and v.seen is not None and v.seen.state is BackendState.READY:
        v.condition(ConditionType.READY, TRUE, reason=Reason.SERVING)
    elif weight or (v.promoted and v.live):
        v.condition(
            ConditionType.READY,
            FALSE,
            reason=Reason.BACKEND_LOST,
            message="its backend does not answer; the platform starts it again, read its log",
        )
    else:
        v.condition(ConditionType.READY, FALSE, reason=Reason.NOT_SERVING)
