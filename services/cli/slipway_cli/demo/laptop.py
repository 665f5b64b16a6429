"""The story's platform on one machine: objects in PostgreSQL, replicas from Ray Serve's REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from slipway_cli.demo.platform import ReplicaSeen
from slipway_cli.resources import Kind, Resource
from slipway_contracts.names import FINALIZER
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE
from slipway_store.objects import ObjectStore

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """``DemoPlatform`` of local mode."""

    pool: Pool
    dashboard_url: str
    dashboard_headers: Mapping[str, str] = field(default_factory=dict)
    away: tuple[type[Exception], ...] = (*UNAVAILABLE, aiohttp.ClientError, ValueError)

    async def apply(self, resource: Resource) -> None:
        """Raises AlreadyExists."""
        await ObjectStore(self.pool).create(
            resource.kind,
            resource.metadata.name,
            resource.spec.sparse(),
            finalizers=[FINALIZER],
        )

    async def objects(self) -> Sequence[Mapping[str, Any]]:
        store = ObjectStore(self.pool)
        return [body for kind in Kind for body in await store.list(kind)]

    async def replicas(self) -> Mapping[str, set[ReplicaSeen]]:
        url = f"{self.dashboard_url}/api/serve/applications/"
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, headers=dict(self.dashboard_headers)) as session,
            session.get(url) as response,
        ):
            response.raise_for_status()
            return replicas_of(await response.json(content_type=None))


def replicas_of(body: Mapping[str, Any]) -> dict[str, set[ReplicaSeen]]:
    """``GET /api/serve/applications/`` → application → its running replicas."""
    found: dict[str, set[ReplicaSeen]] = {}
    for name, application in (body.get("applications") or {}).items():
        found[name] = {
            ReplicaSeen(
                deployment=deployment,
                replica=str(replica.get("replica_id", "")),
                run=int(replica.get("pid") or 0),
            )
            for deployment, details in (application.get("deployments") or {}).items()
            for replica in details.get("replicas") or ()
            if replica.get("state") == "RUNNING"
        }
    return found
