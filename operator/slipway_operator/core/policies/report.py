"""The end of a pass: what people read. Weights, Ready, TrafficApplied, phase, generation."""

from __future__ import annotations

from slipway_contracts.conditions import ConditionType, Reason
from slipway_contracts.route import ModelRoute
from slipway_operator.core.draft import FALSE, TRUE, Draft, VersionDraft
from slipway_operator.core.phases import phase_of
from slipway_operator.core.traffic import route_for, same_route


def report(draft: Draft) -> None:
    """Every version."""
    route = route_for(draft)
    # by address: a replaced object's old backend has the same version name
    desired = {entry.url: entry.weight for entry in route.backends} if route else {}
    applied = applied_weights(draft)
    for v in draft:
        url = v.seen.url if v.seen is not None else ""
        weight = desired.get(url, 0)
        if v.rollout is not None:
            observed = v.rollout.weight_observed if applied is None else applied.get(url, 0)
            v.set_rollout(weight_desired=weight, weight_observed=observed)
        _traffic(draft, v, route)
        _ready(v, weight=weight)
        v.set(phase=phase_of(draft, v), observed_generation=v.obj.metadata.generation)


def applied_weights(draft: Draft) -> dict[str, int] | None:
    """What every live gateway applies; None while that cannot be said."""
    routes = draft.snapshot.routes
    if routes.stored is None or not routes.live_gateways or routes.applied < routes.revision:
        return None
    return {entry.url: entry.weight for entry in routes.stored.backends}


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
    if weight and v.ready:
        v.condition(ConditionType.READY, TRUE, reason=Reason.SERVING)
    elif weight or (v.promoted and v.live):
        seen = v.seen
        said = "its backend does not answer; the platform starts it again, read its log"
        v.condition(
            ConditionType.READY,
            FALSE,
            reason=(seen.reason if seen is not None else None) or Reason.BACKEND_LOST,
            message=(seen.message if seen is not None else "") or said,
        )
    else:
        v.condition(ConditionType.READY, FALSE, reason=Reason.NOT_SERVING)
