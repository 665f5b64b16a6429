"""``ObjectClient`` over the API server: Models and ModelVersions as custom resources.

A spec is replaced whole, guarded by the resource version that was read; labels are added, never
taken away (Helm's are others'). No finalizer is put on: the operator drains without one (ADR 14).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from slipway_cli.cluster.api import Body, ClusterApi
from slipway_cli.errors import CliError, Conflict, NotFound
from slipway_cli.resources import Kind, Resource, parse_resource
from slipway_contracts.base import API_VERSION


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """In the namespace of ``api``."""

    api: ClusterApi

    async def get(self, kind: Kind, name: str) -> Resource:
        try:
            return _parsed(await self.api.get(self._path(kind, name)), kind)
        except NotFound:
            raise NotFound(
                f"{kind} {name} does not exist in namespace {self.api.namespace}; "
                f"`slipway get {kind.short}` lists what does"
            ) from None

    async def list(self, kind: Kind) -> Sequence[Resource]:
        found = [
            _parsed(body, kind)
            async for page in self.api.pages(self._path(kind))
            for body in page["items"]
        ]
        return sorted(found, key=lambda resource: resource.metadata.name)

    async def create(self, resource: Resource, spec: Mapping[str, Any]) -> None:
        kind, metadata = Kind(resource.kind), resource.metadata
        await self.api.write(
            "POST",
            self._path(kind),
            {
                "apiVersion": API_VERSION,
                "kind": kind.value,
                "metadata": {
                    "name": metadata.name,
                    "labels": dict(metadata.labels),
                    "annotations": dict(metadata.annotations),
                },
                "spec": dict(spec),
            },
        )

    async def update_spec(
        self,
        current: Resource,
        spec: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        kind, metadata = Kind(current.kind), current.metadata
        path = self._path(kind, metadata.name)
        body = await self.api.get(path)
        if body["metadata"]["resourceVersion"] != metadata.resource_version:
            raise Conflict(f"{kind} {metadata.name} was changed meanwhile; run the command again")
        body["spec"] = dict(spec)
        if labels:
            body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), **labels}
        await self.api.write("PUT", path, body)

    async def delete(self, kind: Kind, name: str) -> None:
        await self.api.write("DELETE", self._path(kind, name))

    async def changes(self) -> AsyncIterator[tuple[Kind, str]]:
        """From one watch a kind; each is opened anew when it ends."""
        told: asyncio.Queue[tuple[Kind, str] | BaseException] = asyncio.Queue()
        watches = [asyncio.create_task(self._watch(kind, told)) for kind in Kind]
        try:
            while True:
                news = await told.get()
                if isinstance(news, BaseException):
                    raise news
                yield news
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(
        self, kind: Kind, told: asyncio.Queue[tuple[Kind, str] | BaseException]
    ) -> None:
        seen: dict[str, str] = {}
        try:
            while True:
                since = await self._relist(kind, seen, told)
                async for event in self.api.watch(self._path(kind), since=since):
                    if event["type"] == "ERROR":
                        break
                    _note(kind, event["object"], seen, told)
        except Exception as error:
            # Whoever reads the queue is told whatever it was: a watch never dies in silence.
            told.put_nowait(error)

    async def _relist(
        self,
        kind: Kind,
        seen: dict[str, str],
        told: asyncio.Queue[tuple[Kind, str] | BaseException],
    ) -> str:
        """Everything that is not as it was seen; returns what the list is as of."""
        since, there = "", set()
        async for page in self.api.pages(self._path(kind)):
            since = page["metadata"]["resourceVersion"]
            for body in page["items"]:
                there.add(body["metadata"]["name"])
                _note(kind, body, seen, told)
        for gone in seen.keys() - there:
            del seen[gone]
            told.put_nowait((kind, gone))
        return since

    def _path(self, kind: Kind, name: str = "") -> str:
        root = f"/apis/{API_VERSION}/namespaces/{self.api.namespace}/{kind.plural}"
        return f"{root}/{name}" if name else root


def _note(
    kind: Kind,
    body: Body,
    seen: dict[str, str],
    told: asyncio.Queue[tuple[Kind, str] | BaseException],
) -> None:
    name, version = body["metadata"]["name"], body["metadata"]["resourceVersion"]
    if seen.get(name) != version:
        seen[name] = version
        told.put_nowait((kind, name))


def _parsed(body: Body, kind: Kind) -> Resource:
    try:
        return parse_resource(body | {"apiVersion": API_VERSION, "kind": kind.value})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise CliError(
            f"{kind} {body['metadata']['name']} is not as this command knows it ({field}: "
            f"{first['msg']}); use the platform's release of the command"
        ) from None
