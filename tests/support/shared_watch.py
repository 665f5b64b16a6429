"""One real watch for many operators, each of which knows only its own Model.

A hundred lives side by side need a hundred operators, but not a hundred streams: a ``SharedCache``
is what the one watch fills, and it tells the caches that are attached to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import WATCHED, Body, Kind, model_of


class SharedCache(Cache):
    """Tells each change to the attached cache of its Model."""

    def __init__(self) -> None:
        super().__init__()
        self._attached: dict[str, Cache] = {}

    @contextmanager
    def attached(self, model: str) -> Iterator[Cache]:
        """A fresh cache of one Model: as it would be listed now, then what the watch tells."""
        cache = Cache()
        for kind in WATCHED:
            for body in self.of_model(kind, model):
                cache.put(kind, body)
        self._attached[model] = cache
        try:
            yield cache
        finally:
            del self._attached[model]

    def put(self, kind: Kind, body: Body) -> bool:
        attached = self._attached.get(model_of(kind, body))
        if attached is not None:
            attached.put(kind, body)
        return super().put(kind, body)

    def drop(self, kind: Kind, name: str, *, uid: str = "") -> bool:
        known = self.get(kind, name)
        attached = self._attached.get(model_of(kind, known)) if known is not None else None
        if attached is not None:
            attached.drop(kind, name, uid=uid)
        return super().drop(kind, name, uid=uid)
