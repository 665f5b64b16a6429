"""``EventReader`` over Kubernetes' events: what ``kubectl describe`` shows, in the same rows.

An event's id is when it was last seen, in microseconds: a repeat comes again under a higher one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway_cli.cluster.api import Body, ClusterApi
from slipway_cli.resources import Kind
from slipway_contracts.base import GROUP
from slipway_store.events import Event


@dataclass(frozen=True, slots=True)
class ClusterEvents:
    """Of our kinds, in the namespace of ``api``."""

    api: ClusterApi

    async def events(
        self, *, kind: Kind | None = None, name: str | None = None, after: int = 0, limit: int = 200
    ) -> Sequence[Event]:
        wanted = {"involvedObject.kind": kind, "involvedObject.name": name}
        selector = ",".join(f"{key}={value}" for key, value in wanted.items() if value)
        query = {"fieldSelector": selector} if selector else {}
        path = f"/api/v1/namespaces/{self.api.namespace}/events"
        found = [
            _event(body)
            async for page in self.api.pages(path, **query)
            for body in page["items"]
            if str(body["involvedObject"].get("apiVersion", "")).startswith(f"{GROUP}/")
        ]
        found.sort(key=lambda event: event.id)
        return [event for event in found if event.id > after][-limit:]


def _event(body: Body) -> Event:
    at = _last_seen(body)
    about = body["involvedObject"]
    return Event(
        id=int(at.timestamp() * 1_000_000),
        at=at,
        kind=about.get("kind", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        type=body.get("type", ""),
        reason=body.get("reason", ""),
        message=body.get("message", ""),
    )


def _last_seen(body: Body) -> datetime:
    series = body.get("series") or {}
    candidates = (
        series.get("lastObservedTime"),
        body.get("lastTimestamp"),
        body.get("eventTime"),
        body["metadata"].get("creationTimestamp"),
    )
    said = next((text for text in candidates if text), None)
    return datetime.fromisoformat(said) if said else datetime.fromtimestamp(0, UTC)
