"""What was parsed lately, by uid and resource version: the few hundred objects that passes work on.

To parse an object takes a tenth of a millisecond; to keep all of them parsed would take more memory
than all of their bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

LIMIT = 512

T = TypeVar("T")
# Uid and resource version.
Key = tuple[str, str]


class Lately(Generic[T]):
    """The newest parsed form of each of the last objects that were asked for."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: OrderedDict[str, tuple[str, T]] = OrderedDict()

    def get(self, key: Key) -> T | None:
        """None when it was not parsed, or too long ago, or is of another resource version."""
        uid, version = key
        found = self._known.get(uid)
        if found is None or found[0] != version:
            return None
        self._known.move_to_end(uid)
        return found[1]

    def put(self, key: Key, parsed: T) -> None:
        uid, version = key
        self._known[uid] = (version, parsed)
        self._known.move_to_end(uid)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
