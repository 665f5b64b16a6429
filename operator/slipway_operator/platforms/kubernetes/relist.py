"""Lists against the cache: what it starts from, and what a watch did not tell.

A watch can fall silent without an error. So every kind is listed now and then (names and resource
versions only) and compared: what is newer is fetched, what is gone is dropped. When to do so is not
known here; ``slipway_operator.watch`` calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Set

from slipway_operator.platforms.kubernetes.answers import UnknownKind
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    OPTIONAL,
    WATCHED,
    Kind,
    labels_of,
    name_of,
    revision,
)

log = logging.getLogger(__name__)

# Above so many changes of a kind one list is cheaper than one request for each.
SINGLY = 20

Key = tuple[Kind, str]


class Relist:
    """``fill`` once, then ``compare`` now and then. Raises ``Transient`` and ``Terminal``."""

    def __init__(self, api: Api, cache: Cache) -> None:
        self._api = api
        self._cache = cache
        self._absent: set[Kind] = set()

    @property
    def absent(self) -> frozenset[Kind]:
        """Optional kinds that the API server did not know when it was last asked."""
        return frozenset(self._absent)

    async def fill(self) -> None:
        """The cache is what the API server has now."""
        await self.compare()

    async def compare(self, *, settle: float = 0.0) -> set[Key]:
        """What the cache did not know, and now does.

        ``settle``: seconds for what is on its way. Under load the watches are a little behind every
        list, and to fetch what they are about to tell costs more than to wait for it.
        """
        listed = {kind: await self._list(kind) for kind in WATCHED}
        if settle and any(found and self._stale(kind, found[0]) for kind, found in listed.items()):
            await asyncio.sleep(settle)
        missed: set[Key] = set()
        for kind, found in listed.items():
            if found is not None:
                versions, as_of = found
                missed |= await self._fetch(kind, self._stale(kind, versions))
                missed |= self._drop_ghosts(kind, versions.keys(), as_of)
        return missed

    async def _list(self, kind: Kind) -> tuple[dict[str, str], str] | None:
        """Names and versions, as of when; None where the kind is not served yet."""
        try:
            found = await self._api.versions(kind, labels=labels_of(kind))
        except UnknownKind as error:
            if kind not in OPTIONAL:
                raise
            if kind not in self._absent:
                log.warning("%s are not served yet", kind.kind, extra={"error": str(error)})
            self._absent.add(kind)
            return None
        self._absent.discard(kind)
        return found

    def _stale(self, kind: Kind, listed: Mapping[str, str]) -> list[str]:
        known = self._cache.names(kind)
        return [
            name
            for name, version in listed.items()
            if revision(version) > revision(known.get(name, ""))
        ]

    async def _fetch(self, kind: Kind, names: list[str]) -> set[Key]:
        """Those that were newer indeed."""
        newer: set[Key] = set()
        if len(names) > SINGLY:
            async for page in self._api.pages(kind, labels=labels_of(kind)):
                newer |= {(kind, name_of(body)) for body in page if self._cache.put(kind, body)}
            return newer
        for name in names:
            body = await self._api.get(kind, name)
            if body is not None and self._cache.put(kind, body):
                newer.add((kind, name))
        return newer

    def _drop_ghosts(self, kind: Kind, listed: Set[str], as_of: str) -> set[Key]:
        """Not in the list, and older than it."""
        ghosts = {
            name
            for name, version in self._cache.names(kind).items()
            if name not in listed and revision(version) <= revision(as_of)
        }
        return {(kind, name) for name in ghosts if self._cache.drop(kind, name)}
