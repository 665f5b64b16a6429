"""Lists against the cache: what it starts from, and what a watch did not tell.

A watch can fall silent without an error. So every kind is listed now and then (names and resource
versions only) and compared: what is newer is fetched, what is gone is dropped. Times are not known
here; ``slipway_operator.watch`` calls.
"""

from __future__ import annotations

import logging

from slipway_operator.platforms.kubernetes.answers import UnknownKind
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    OPTIONAL,
    WATCHED,
    Body,
    Kind,
    labels_of,
    name_of,
    resource_version,
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
        for kind in WATCHED:
            await self._compare(kind)

    async def compare(self) -> set[Key]:
        """What the cache did not know, and now does."""
        missed: set[Key] = set()
        for kind in WATCHED:
            missed |= await self._compare(kind)
        return missed

    async def _compare(self, kind: Kind) -> set[Key]:
        try:
            listed, as_of = await self._api.versions(kind, labels=labels_of(kind))
        except UnknownKind as error:
            if kind not in OPTIONAL:
                raise
            if kind not in self._absent:
                log.warning("%s are not served yet", kind.kind, extra={"error": str(error)})
            self._absent.add(kind)
            return set()
        self._absent.discard(kind)
        missed = {(kind, name) for name in await self._fetch(kind, self._stale(kind, listed))}
        return missed | self._drop_ghosts(kind, {name_of(body) for body in listed}, as_of)

    def _stale(self, kind: Kind, listed: list[Body]) -> list[str]:
        known = self._cache.names(kind)
        return [
            name_of(body)
            for body in listed
            if revision(resource_version(body)) > revision(known.get(name_of(body), ""))
        ]

    async def _fetch(self, kind: Kind, names: list[str]) -> set[str]:
        """Those that were newer indeed."""
        if len(names) > SINGLY:
            bodies = await self._api.list(kind, labels=labels_of(kind))
        else:
            found = [await self._api.get(kind, name) for name in names]
            bodies = [body for body in found if body is not None]
        return {name_of(body) for body in bodies if self._cache.put(kind, body)}

    def _drop_ghosts(self, kind: Kind, listed: set[str], as_of: str) -> set[Key]:
        """Not in the list, and older than it."""
        ghosts = {
            name
            for name, version in self._cache.names(kind).items()
            if name not in listed and revision(version) <= revision(as_of)
        }
        return {(kind, name) for name in ghosts if self._cache.drop(kind, name)}
