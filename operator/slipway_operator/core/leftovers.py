"""Backends whose ModelVersion is no longer the object that made them (replaced with a new uid).

They are listed by what the platform remembers of them: while nothing else could answer they keep
the traffic that they have, then they drain and go. What no platform remembers cannot be kept.
"""

from __future__ import annotations

from datetime import timedelta

from slipway_contracts.model import Leftover
from slipway_contracts.route import BackendRoute
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.draft import Draft
from slipway_operator.core.snapshot import BackendObservation, BackendState

_ANSWERING = frozenset({BackendState.READY, BackendState.UNHEALTHY})


def orphans(draft: Draft) -> list[BackendObservation]:
    """Backends of no version that there is, as far as they can be described."""
    known = {v.status.backend for v in draft}
    return [
        seen
        for name, seen in sorted(draft.snapshot.backends.items())
        if name not in known and seen.artifact is not None and seen.state in _ANSWERING
    ]


def carried(draft: Draft) -> tuple[BackendRoute, ...]:
    """What the stored route gives to orphans, while no version could answer instead."""
    if draft.stored is None or draft.roles.stable is not None:
        return ()
    urls = {seen.url for seen in orphans(draft)}
    able = [e for e in draft.stored.backends if e.url in urls and e.weight]
    if not able:
        return ()
    spare = 100 - sum(entry.weight for entry in able)
    heir = max(able, key=lambda entry: entry.weight)
    return tuple(
        BackendRoute(
            version=e.version,
            weight=e.weight + (spare if e is heir else 0),
            url=e.url,
            role="stable" if e is heir else "previous",
        )
        for e in able
    )


def leftovers(draft: Draft, routed: frozenset[str], *, settled: bool) -> tuple[Leftover, ...]:
    """Those that stay this time. ``routed``: the addresses that the decided route names.

    ``settled``: every live gateway applies that route, so that the drain's clock may begin.
    """
    before = {left.backend: left.since for left in _before(draft)}
    stored = {e.url for e in draft.stored.backends} if draft.stored is not None else set()
    kept = []
    for seen in orphans(draft):
        if seen.name not in before and seen.url not in stored:
            continue
        since = before.get(seen.name)
        if since is None and seen.url not in routed and settled:
            since = draft.now
        limit = timedelta(seconds=seen.serving.drain_seconds if seen.serving is not None else 0)
        if since is None or draft.now < since + limit:
            kept.append(Leftover(backend=seen.name, since=since))
    return tuple(kept)


def _before(draft: Draft) -> tuple[Leftover, ...]:
    return draft.model.status.leftovers if draft.model is not None else ()


def leftover_backends(draft: Draft, kept: tuple[Leftover, ...]) -> tuple[DesiredBackend, ...]:
    """They stay as they are."""
    assert draft.model is not None
    backends = []
    for left in kept:
        seen = draft.snapshot.backends[left.backend]
        assert seen.artifact is not None
        serving = seen.serving or draft.model.spec.serving
        backends.append(
            DesiredBackend(
                name=seen.name,
                version=seen.version,
                model=draft.model.metadata.name,
                artifact=seen.artifact,
                serving=serving,
                replicas=serving.replicas.min,
            )
        )
    return tuple(backends)
