"""What the operator knows of the namespace: the newest body seen of each object, by Model.

Filled by the watch and by a relist, read by every pass; synchronous, no I/O. An older body never
replaces a newer one, and what was seen deleted does not come back, so it does not matter in which
order the watch, the relist and our own writes arrive.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from slipway_operator.platforms.kubernetes.kinds import (
    WATCHED,
    Body,
    Kind,
    model_of,
    name_of,
    resource_version,
    revision,
    uid_of,
)

# Uids that were seen deleted. A list that began before a deletion ends within a minute; thousands
# of deletions a minute are beyond what an operator's namespace sees.
GRAVES = 8192


class Cache:
    """Bodies by kind and name, indexed by Model. Readers must not change what they get."""

    def __init__(self) -> None:
        self._bodies: dict[Kind, dict[str, Body]] = {kind: {} for kind in WATCHED}
        self._models: dict[Kind, dict[str, set[str]]] = {kind: {} for kind in WATCHED}
        self._graves: OrderedDict[str, None] = OrderedDict()
        self._listeners: list[Callable[[str], None]] = []

    def get(self, kind: Kind, name: str) -> Body | None:
        return self._bodies[kind].get(name)

    def of_model(self, kind: Kind, model: str) -> list[Body]:
        """The Model's objects of that kind, sorted by name."""
        bodies = self._bodies[kind]
        return [bodies[name] for name in sorted(self._models[kind].get(model, ()))]

    def all(self, kind: Kind) -> Iterable[Body]:
        """Every object of a kind, in no order. Not across an ``await``."""
        return self._bodies[kind].values()

    def put(self, kind: Kind, body: Body) -> bool:
        """Keep it, if it is newer than what is known. Whether it was."""
        name, model = name_of(body), model_of(kind, body)
        known = self._bodies[kind].get(name)
        if uid_of(body) in self._graves or not _newer(body, known):
            return False
        if known is not None:
            self._forget(kind, name, known)
        if model:
            self._bodies[kind][name] = _lean(body)
            self._models[kind].setdefault(model, set()).add(name)
        self._tell(model, model_of(kind, known) if known is not None else "")
        return bool(model)

    def drop(self, kind: Kind, name: str, *, uid: str = "") -> bool:
        """It is gone; with ``uid`` only that very object. Whether it was known."""
        if uid:
            self._bury(uid)
        known = self._bodies[kind].get(name)
        if known is None or (uid and uid_of(known) != uid):
            return False
        self._bury(uid_of(known))
        self._forget(kind, name, known)
        self._tell(model_of(kind, known))
        return True

    def names(self, kind: Kind) -> dict[str, str]:
        """Name → resource version of everything known of a kind."""
        return {name: resource_version(body) for name, body in self._bodies[kind].items()}

    def models(self) -> set[str]:
        """Every Model that there is, that a version names or that a child was made for."""
        return {model for index in self._models.values() for model in index}

    def listen(self, told: Callable[[str], None]) -> Callable[[], None]:
        """``told`` hears the Model of every change from now on. The result ends that."""
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)

    def _forget(self, kind: Kind, name: str, known: Body) -> None:
        del self._bodies[kind][name]
        model, index = model_of(kind, known), self._models[kind]
        index[model].discard(name)
        if not index[model]:
            del index[model]

    def _bury(self, uid: str) -> None:
        if not uid:
            return
        self._graves[uid] = None
        while len(self._graves) > GRAVES:
            self._graves.popitem(last=False)

    def _tell(self, *models: str) -> None:
        for model in {model for model in models if model}:
            for told in tuple(self._listeners):
                told(model)


def _lean(body: Body) -> Body:
    """Without managed fields, which are as large as the object itself."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return body | {"metadata": metadata}


def _newer(body: Body, known: Body | None) -> bool:
    if known is None:
        return True
    mine, theirs = revision(resource_version(body)), revision(resource_version(known))
    return mine > theirs or (mine == theirs == 0)
