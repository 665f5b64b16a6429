"""Events of ``kubectl describe``: one object for each thing that is said, a repeat counts it up.

The name of an Event is a function of what it says and of whom: a pass that is repeated after
a kill, or a state that comes back a thousand times, leaves one Event and not a thousand.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime

from slipway_contracts.base import API_VERSION
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Conflict
from slipway_operator.platforms.kubernetes.answers import Missing
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    EVENTS,
    MANAGER,
    MODEL_VERSIONS,
    MODELS,
    Body,
    uid_of,
)

KINDS = {"Model": MODELS, "ModelVersion": MODEL_VERSIONS}
# The limit of an Event's note (events.k8s.io/v1).
NOTE_LIMIT = 1000
# Events whose count is remembered; what is forgotten is counted from 2 again.
REMEMBERED = 4096


class KubernetesEvents:
    """``ports.Events``. ``identity`` is the operator's pod."""

    def __init__(self, api: Api, cache: Cache, *, identity: str = MANAGER) -> None:
        self._api = api
        self._cache = cache
        self._identity = identity
        self._counts: OrderedDict[str, int] = OrderedDict()

    async def append(self, namespace: str, events: Sequence[EventRecord]) -> None:
        """In their order. ``namespace`` is the operator's own: there is no other."""
        for event in events:
            await self._append(event)

    async def _append(self, event: EventRecord) -> None:
        known = self._cache.get(KINDS[event.kind], event.name)
        body = event_body(
            event,
            namespace=self._api.namespace,
            uid=uid_of(known) if known is not None else "",
            at=datetime.now(UTC),
            identity=self._identity,
        )
        name = body["metadata"]["name"]
        if self._counts.get(name) and await self._repeated(name):
            return
        try:
            await self._api.create(EVENTS, body)
        except Conflict:
            await self._repeated(name)
        else:
            self._remember(name, 1)

    async def _repeated(self, name: str) -> bool:
        """Count it up; False when it has expired."""
        count = self._counts.get(name, 1) + 1
        series = {"count": count, "lastObservedTime": _micro(datetime.now(UTC))}
        try:
            await self._api.patch(EVENTS, name, {"series": series})
        except Missing:
            return False
        self._remember(name, count)
        return True

    def _remember(self, name: str, count: int) -> None:
        self._counts[name] = count
        self._counts.move_to_end(name)
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)


def event_body(
    event: EventRecord, *, namespace: str, uid: str, at: datetime, identity: str
) -> Body:
    """The Event in wire form."""
    said = "/".join((event.kind, uid, event.type, event.reason.value, event.message))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{event.name}.{digest}", "namespace": namespace},
        "eventTime": _micro(at),
        "reportingController": "slipway.dev/operator",
        "reportingInstance": identity[:128],
        "action": "Reconcile",
        "reason": event.reason.value,
        "type": event.type,
        "note": event.message[:NOTE_LIMIT],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": event.kind,
            "name": event.name,
            "namespace": namespace,
            "uid": uid,
        },
    }


def _micro(at: datetime) -> str:
    """Kubernetes' MicroTime."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
