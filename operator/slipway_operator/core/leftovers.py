"""Backends whose ModelVersion is no longer the object that made them: replaced, or deleted.

They are listed by what the platform remembers of them: while nothing else could answer they keep
the traffic that they have, then they drain and go. A replacement deletes and creates, so a version
counts as deleted, and its traffic ends whatever else there is, when its name has been absent for
``REPLACE_SECONDS``. What no platform remembers cannot be kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from slipway_contracts.model import Leftover
from slipway_contracts.route import BackendRoute
from slipway_operator.core.decision import DesiredBackend
from slipway_operator.core.draft import Draft
from slipway_operator.core.snapshot import BackendObservation, BackendState

REPLACE_SECONDS = 10.0

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
    urls = {seen.url for seen in orphans(draft) if not _deleted(draft, seen)}
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
    before = {left.backend: left for left in _before(draft)}
    stored = {e.url for e in draft.stored.backends} if draft.stored is not None else set()
    kept = []
    for seen in orphans(draft):
        if seen.name not in before and seen.url not in stored:
            continue
        left = before.get(seen.name, Leftover(backend=seen.name))
        since = left.since
        if since is None and seen.url not in routed and settled:
            since = draft.now
        limit = timedelta(seconds=seen.serving.drain_seconds if seen.serving is not None else 0)
        if since is None or draft.now < since + limit:
            update = {"since": since, "absent_since": _absent_since(draft, left, seen)}
            kept.append(left.model_copy(update=update))
    return tuple(kept)


def _absent_since(draft: Draft, left: Leftover, seen: BackendObservation) -> datetime | None:
    if seen.version in draft.versions:
        return None
    since = left.absent_since or draft.now
    rest = REPLACE_SECONDS - (draft.now - since).total_seconds()
    if rest > 0:
        draft.wake_in(rest)
    return since


def _deleted(draft: Draft, seen: BackendObservation) -> bool:
    left = next((left for left in _before(draft) if left.backend == seen.name), None)
    if left is None or left.absent_since is None or seen.version in draft.versions:
        return False
    return draft.now >= left.absent_since + timedelta(seconds=REPLACE_SECONDS)


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
