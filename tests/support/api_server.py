"""A few objects of an API server in memory, for unit tests of what is built on ``Api``.

It keeps resource versions, refuses what is stale, and can lose answers: ``lose_answers`` is how
many writes are done without being answered, ``down`` answers nothing at all.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from slipway_operator.errors import Conflict, Transient
from slipway_operator.platforms.kubernetes.answers import Missing, UnknownKind
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.kinds import Body, Kind, name_of, resource_version


class MemoryApi(Api):
    """``Api`` without a server."""

    def __init__(self, namespace: str = "slipway") -> None:
        super().__init__(None, namespace=namespace)
        self.objects: dict[Kind, dict[str, Body]] = {}
        self.unknown: set[Kind] = set()
        self.down = False
        self.lose_answers = 0
        self.requests: list[tuple[str, str, str]] = []
        self.numbers = itertools.count(1)

    def put(self, kind: Kind, body: Mapping[str, Any]) -> Body:
        """As somebody else writes it."""
        stored = copy.deepcopy(dict(body))
        uid = stored["metadata"].get("uid") or f"uid-{name_of(stored)}"
        stored["metadata"] |= {"uid": uid, "resourceVersion": str(next(self.numbers))}
        self.objects.setdefault(kind, {})[name_of(stored)] = stored
        return copy.deepcopy(stored)

    async def get(self, kind: Kind, name: str) -> Body | None:
        await self._asked("get", kind, name)
        return copy.deepcopy(self.objects.get(kind, {}).get(name))

    async def pages(
        self, kind: Kind, *, labels: Mapping[str, str] | None = None
    ) -> AsyncGenerator[list[Body]]:
        await self._asked("list", kind)
        yield copy.deepcopy([*self.objects.get(kind, {}).values()])

    async def versions(
        self, kind: Kind, *, labels: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], str]:
        await self._asked("versions", kind)
        bodies = self.objects.get(kind, {})
        versions = {name: resource_version(body) for name, body in bodies.items()}
        return versions, str(next(self.numbers))

    async def create(self, kind: Kind, body: Body) -> Body:
        await self._asked("create", kind, name_of(body))
        if name_of(body) in self.objects.get(kind, {}):
            raise Conflict("already exists")
        return self._answered(self.put(kind, body))

    async def replace(self, kind: Kind, body: Body) -> Body:
        await self._asked("replace", kind, name_of(body))
        self._guard(kind, name_of(body), resource_version(body))
        return self._answered(self.put(kind, body))

    async def patch(self, kind: Kind, name: str, patch: Body) -> Body:
        await self._asked("patch", kind, name)
        found = self.objects.get(kind, {}).get(name)
        if found is None:
            raise Missing(f"no {name}")
        return self._answered(self.put(kind, _merged(found, patch)))

    async def patch_status(
        self, kind: Kind, name: str, status: Body, *, resource_version: str
    ) -> Body:
        await self._asked("patch_status", kind, name)
        found = self._guard(kind, name, resource_version)
        return self._answered(self.put(kind, _merged(found, {"status": status})))

    def _guard(self, kind: Kind, name: str, version: str) -> Body:
        found = self.objects.get(kind, {}).get(name)
        if found is None:
            raise Missing(f"no {name}")
        if version and resource_version(found) != version:
            raise Conflict("stale")
        return found

    async def _asked(self, verb: str, kind: Kind, name: str = "") -> None:
        await asyncio.sleep(0)
        self.requests.append((verb, kind.kind, name))
        if self.down:
            raise Transient("the API server does not answer")
        if kind in self.unknown:
            raise UnknownKind(f"no {kind.plural}")

    def _answered(self, body: Body) -> Body:
        if self.lose_answers:
            self.lose_answers -= 1
            raise Transient("the answer was lost")
        return body


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = _merged(new.get(key), value)
    return new
