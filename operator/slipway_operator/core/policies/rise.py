"""What every rise of a weight needs first: no pause, a ready backend with enough replicas, gateways
that apply the previous write.

The route is written before the status that remembers it, so a controller that is killed between the
two finds a route that is ahead. It is the one that this rise would write; then it is completed, and
no unit goes back and forth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from slipway_contracts.conditions import Reason
from slipway_operator.core.capacity import ready_replicas, replicas_for
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.traffic import route_for, same_shares, settled

Obstacle = tuple[Reason, str]


def rise(
    draft: Draft, v: VersionDraft, *, weight: int, change: Callable[[], None]
) -> Obstacle | None:
    """Make ``change``, which raises ``v`` to ``weight`` per cent, or say what it waits for."""
    obstacle = _obstacle(draft, v, weight=weight)
    if obstacle is not None and obstacle[0] is not Reason.ROUTES_PENDING:
        return obstacle
    before = {each.name: each.status for each in draft}
    change()
    if obstacle is None or same_shares(draft.stored, route_for(draft)) or _unwatched(draft, v):
        return None
    for each in draft:
        each.status = before[each.name]
    return obstacle


def _unwatched(draft: Draft, v: VersionDraft) -> bool:
    """The stored route is that of a promotion after which nobody keeps a share to be compared."""
    watched = v.specs is not None and v.specs.rollout.post_promotion_watch > timedelta(0)
    if draft.stored is None or not v.promoted or watched:
        return False
    return [(e.version, e.weight) for e in draft.stored.backends] == [(v.name, 100)]


def _obstacle(draft: Draft, v: VersionDraft, *, weight: int) -> Obstacle | None:
    if v.spec.desired_state == "Paused":
        return Reason.PAUSED, "set spec.desiredState: Active to go on"
    if not v.ready:
        return Reason.BACKEND_LOST, "the backend does not answer"
    needed = replicas_for(v, weight, fleet=ready_replicas(draft.roles.stable))
    if ready_replicas(v) < needed:
        return Reason.STARTING, f"{ready_replicas(v)} of {needed} replicas are ready"
    if not draft.gateways:
        return Reason.GATEWAY_UNAVAILABLE, "no gateway is alive; start one"
    if not settled(draft):
        return Reason.ROUTES_PENDING, "a gateway has not applied the last routes yet"
    return None
