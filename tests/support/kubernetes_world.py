"""One namespace of a real API server, as the operator's adapters and as a person see it.

``KubernetesWorld`` is the world of ``platform_contract``: the ports over a cache that the real
watch fills, and the administrator's requests around them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway_cluster.controlplane import ControlPlane
from slipway_cluster.errors import ApiError
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_operator.platforms.kubernetes.api import Api, connect, find_access
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.events import KubernetesEvents
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    MODEL_VERSIONS,
    MODELS,
    PODS,
    RAY_SERVICES,
    Body,
    Kind,
)
from slipway_operator.platforms.kubernetes.objects import KubernetesObjects
from slipway_operator.platforms.kubernetes.relist import Relist
from slipway_operator.watch import Watch

MERGE = "application/merge-patch+json"
KINDS = {k.kind: k for k in (MODELS, MODEL_VERSIONS, JOBS, PODS, CONFIG_MAPS, RAY_SERVICES)}


class Restarts:
    """``watch.Heard`` that remembers."""

    def __init__(self) -> None:
        self.whys: list[str] = []

    def restarted(self, why: str) -> None:
        self.whys.append(why)


@dataclass(kw_only=True)
class Person:
    """The administrator in one namespace."""

    plane: ControlPlane
    namespace: str

    def request(self, method: str, kind: Kind, name: str = "", body: object = None) -> Body:
        content = MERGE if method == "PATCH" else "application/json"
        path = kind.path(self.namespace, name)
        return self.plane.request(method, path, body, content_type=content)

    def create(self, kind: Kind, body: Mapping[str, Any]) -> Body:
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        return self.request("POST", kind, body=head | dict(body))

    def get(self, kind: Kind, name: str) -> Body:
        return self.request("GET", kind, name)

    def list(self, kind: Kind) -> list[Body]:
        return list(self.request("GET", kind)["items"])

    def patch(self, kind: Kind, name: str, body: Mapping[str, Any]) -> Body:
        return self.request("PATCH", kind, name, dict(body))

    def patch_status(self, kind: Kind, name: str, status: Mapping[str, Any]) -> Body:
        path = kind.path(self.namespace, name) + "/status"
        return self.plane.request("PATCH", path, {"status": dict(status)}, content_type=MERGE)

    def delete(self, kind: Kind, name: str) -> None:
        """A second deletion is fine."""
        try:
            self.request("DELETE", kind, name)
        except ApiError as error:
            if error.status != 404:
                raise


@dataclass(kw_only=True)
class KubernetesWorld:
    """The ports of one namespace; ``until`` waits for what the watch will tell."""

    person: Person
    api: Api
    cache: Cache
    watch: Watch
    objects: KubernetesObjects
    events: KubernetesEvents
    routes: Any = None
    restarts: Restarts = field(default_factory=Restarts)

    async def create(self, obj: Model | ModelVersion) -> None:
        metadata = {"name": obj.metadata.name, "finalizers": list(obj.metadata.finalizers)}
        body = {"metadata": metadata, "spec": obj.spec.sparse()}
        made = self.person.create(KINDS[obj.kind], body)
        await self.seen(KINDS[obj.kind], made)

    async def change(self, kind: str, name: str, **fields: Any) -> None:
        await self.seen(KINDS[kind], self.person.patch(KINDS[kind], name, {"spec": fields}))

    async def delete(self, kind: str, name: str) -> None:
        self.person.delete(KINDS[kind], name)
        await self.until(lambda: _is_going(self.cache.get(KINDS[kind], name)))

    async def told(self) -> list[tuple[str, str, str]]:
        events = sorted(self.person.list(EVENTS), key=lambda event: event["eventTime"])
        return [(e["regarding"]["name"], e["type"], e["reason"]) for e in events]

    async def beat(self, gateway: str, revision: int) -> None:
        raise NotImplementedError("routes are PostgreSQL's on both platforms")

    async def seen(self, kind: Kind, body: Body) -> None:
        """Wait until the cache is at least as new as ``body``."""
        name, wanted = body["metadata"]["name"], int(body["metadata"]["resourceVersion"])
        await self.until(lambda: int(self.cache.names(kind).get(name, "0")) >= wanted)

    async def until(self, holds: Callable[[], bool], *, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)


def _is_going(body: Body | None) -> bool:
    return body is None or "deletionTimestamp" in body["metadata"]


@asynccontextmanager
async def kubernetes_world(
    plane: ControlPlane,
    namespace: str,
    *,
    kubeconfig: Path | None = None,
    cache: Cache | None = None,
) -> AsyncIterator[KubernetesWorld]:
    """With the real watch running; ``kubeconfig``: as somebody else than the administrator."""
    access = await find_access(kubeconfig or plane.kubeconfig)
    cache, restarts = cache or Cache(), Restarts()
    async with connect(access, namespace=namespace) as api:
        watch = Watch(
            cache=cache,
            relist=Relist(api, cache),
            access=access,
            namespace=namespace,
            heard=restarts,
        )
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            await watch.filled()
            yield KubernetesWorld(
                person=Person(plane=plane, namespace=namespace),
                api=api,
                cache=cache,
                watch=watch,
                objects=KubernetesObjects(api, cache),
                events=KubernetesEvents(api, cache),
                restarts=restarts,
            )
            watching.cancel()
