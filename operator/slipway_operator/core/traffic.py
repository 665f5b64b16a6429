"""State → route: who should get which share, and what the gateways are told.

The candidate stands first, so that raising its weight never moves a unit back; after its promotion
it stays first, with the rest. A share whose backend cannot answer goes to those that can; nobody
gets a share that the state does not give him.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_contracts.model import Model
from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute, Role, ShadowRoute
from slipway_contracts.serving import ServingMode
from slipway_operator.core.draft import Draft, VersionDraft
from slipway_operator.core.leftovers import carried
from slipway_operator.core.snapshot import BackendState

# What the old version keeps while the new one is watched, so that the comparison lives on.
PREVIOUS_WEIGHT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One version's intended share in per cent."""

    version: VersionDraft
    weight: int
    role: Role


def canary_weight(v: VersionDraft) -> int:
    """The share of the rung on which an unpromoted candidate stands; 0 when it leaves."""
    rollout = v.rollout
    if rollout is None or not v.live or v.promoted or not 0 <= rollout.step < len(rollout.plan):
        return 0
    return rollout.plan[rollout.step]


def shadowing(v: VersionDraft) -> bool:
    """It should get copies of the traffic now."""
    wanted = v.specs is not None and v.specs.rollout.shadow is not None
    rollout = v.rollout
    begun = rollout is not None and rollout.step < 0 and rollout.shadow_ended_at is None
    return wanted and begun and v.live and not v.promoted


def yielding(draft: Draft) -> VersionDraft | None:
    """The stable version while a ``Recreate`` candidate needs its room; None otherwise."""
    roles = draft.roles
    candidate = roles.candidate
    if candidate is None or not candidate.live:
        return None
    return roles.stable if candidate.serving.mode is ServingMode.RECREATE else None


def intended(draft: Draft) -> tuple[Share, ...]:
    """The shares that the statuses ask for; they sum to 100 or are empty."""
    model, roles = draft.model, draft.roles
    if model is None or model.metadata.deletion_timestamp is not None:
        return ()
    if model.spec.traffic:
        return _split(draft, model)
    stable, candidate, previous = roles.stable, roles.candidate, roles.previous
    weight = canary_weight(candidate) if candidate is not None else 0
    if yielding(draft) is not None:
        return ()
    if candidate is not None and weight:
        taken = Share(version=candidate, weight=weight, role="candidate")
        rest = (Share(version=stable, weight=100 - weight, role="stable"),) if stable else ()
        return (taken, *rest)
    if stable is None:
        return ()
    if previous is not None and previous.live:
        return (
            Share(version=stable, weight=100 - PREVIOUS_WEIGHT, role="stable"),
            Share(version=previous, weight=PREVIOUS_WEIGHT, role="previous"),
        )
    return (Share(version=stable, weight=100, role="stable"),)


def _split(draft: Draft, model: Model) -> tuple[Share, ...]:
    members = ((draft.versions.get(share.version), share.weight) for share in model.spec.traffic)
    return tuple(
        Share(version=v, weight=weight, role="fixed")
        for v, weight in members
        if v is not None and v.live and weight
    )


def answering(share: Share) -> bool:
    """READY; the incumbent also while its checks fail: nothing better is there to answer."""
    seen = share.version.seen
    if seen is None or not seen.url:
        return False
    if share.role == "stable" and seen.state is BackendState.UNHEALTHY:
        return True
    return seen.state is BackendState.READY


def routed(draft: Draft) -> tuple[Share, ...]:
    """The shares as written: what cannot answer passes its share on. Sum 100, or empty."""
    able = [share for share in intended(draft) if answering(share)]
    if not able:
        return ()
    spare = 100 - sum(share.weight for share in able)
    heir = max(able, key=lambda share: share.weight)
    return tuple(
        Share(version=s.version, weight=s.weight + (spare if s is heir else 0), role=s.role)
        for s in able
    )


def route_for(draft: Draft) -> ModelRoute | None:
    """The route that should be stored; None when the Model's route should go."""
    model = draft.model
    if model is None:
        return None
    shares = routed(draft)
    first = shares[0].version if shares and shares[0].role != "fixed" else None
    stable = draft.roles.stable
    stickiness = first.specs.rollout.stickiness if first and first.specs else "Conversation"
    return ModelRoute(
        model=model.metadata.name,
        task=model.spec.task,
        default=model.spec.default,
        salt=(first.uid if first else "") or model.metadata.uid or model.metadata.name,
        stickiness=stickiness,
        backends=tuple(_entry(share) for share in shares) or _carried(draft, model),
        shadow=_shadow(draft),
        guard=_guard(draft, shares),
        overdue_ms=_overdue(draft),
        system_prompt=model.spec.system_prompt,
        generation_defaults=model.spec.generation_defaults,
        max_model_len=stable.serving.engine.max_model_len if stable else None,
    )


def _carried(draft: Draft, model: Model) -> tuple[BackendRoute, ...]:
    ends = model.metadata.deletion_timestamp is not None
    return () if ends or model.spec.traffic else carried(draft)


def _entry(share: Share) -> BackendRoute:
    assert share.version.seen is not None
    return BackendRoute(
        version=share.version.name,
        weight=share.weight,
        url=share.version.seen.url,
        role=share.role,
    )


def _shadow(draft: Draft) -> ShadowRoute | None:
    v = draft.roles.candidate
    if v is None or not shadowing(v) or v.seen is None or not v.ready or v.specs is None:
        return None
    shadow = v.specs.rollout.shadow
    assert shadow is not None
    return ShadowRoute(version=v.name, url=v.seen.url, sample=shadow.sample)


def _guard(draft: Draft, shares: tuple[Share, ...]) -> GuardRoute | None:
    """Only while an unpromoted candidate takes traffic beside stable."""
    if len(shares) != 2 or shares[0].role != "candidate":
        return None
    candidate, stable = shares[0].version, shares[1].version
    return GuardRoute(
        candidate=candidate.name, stable=stable.name, rollout_id=candidate.status.backend
    )


def _overdue(draft: Draft) -> float | None:
    holder = draft.roles.holder
    if holder is None or not holder.live or holder.rollout is None:
        return None
    if not (holder.promoted or canary_weight(holder) or shadowing(holder)):
        return None
    thresholds = holder.rollout.thresholds
    return thresholds.ttft_ms if thresholds is not None else None


def same_route(stored: ModelRoute | None, wanted: ModelRoute | None) -> bool:
    """Whether the stored route tells the gateways what is wanted (revisions aside)."""
    if stored is None or wanted is None:
        return stored is wanted
    return stored.digest() == wanted.digest()


def same_shares(stored: ModelRoute | None, wanted: ModelRoute | None) -> bool:
    """Whether both send the same units to the same backends."""
    if stored is None or wanted is None:
        return False
    return (stored.salt, stored.backends) == (wanted.salt, wanted.backends)


def settled(draft: Draft) -> bool:
    """What the statuses ask for is stored, and every live gateway applies it (at least one)."""
    routes = draft.snapshot.routes
    confirmed = routes.live_gateways > 0 and routes.applied >= routes.revision
    return confirmed and same_route(routes.stored, route_for(draft))


def unrouted(draft: Draft, v: VersionDraft) -> bool:
    """Every live gateway (at least one) applies a route that gives ``v`` nothing.

    Less than ``settled``: what else of the route is to change does not concern who has left it.
    """
    routes = draft.snapshot.routes
    if not routes.live_gateways or routes.applied < routes.revision:
        return False
    return routes.stored is None or v.name not in _given(routes.stored)


def _given(route: ModelRoute) -> set[str]:
    copied = {route.shadow.version} if route.shadow is not None else set()
    return {entry.version for entry in route.backends if entry.weight} | copied
