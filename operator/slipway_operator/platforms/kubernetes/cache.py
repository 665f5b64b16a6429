"""What the operator knows of the namespace: the newest body seen of each object, by Model.

Filled by the watch and by a relist, read by every pass; synchronous, no I/O. An older body never
replaces a newer one, and what was seen deleted does not come back, so it does not matter in which
order the watch, the relist and our own writes arrive. How a body is kept is ``kept``'s matter.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

from slipway_operator.platforms.kubernetes.kept import Kept, keep
from slipway_operator.platforms.kubernetes.kinds import (
    WATCHED,
    Body,
    Kind,
    model_of,
    name_of,
    uid_of,
)

# Uids that were seen deleted. A list that began before a deletion ends within a minute; thousands
# of deletions a minute are beyond what an operator's namespace sees.
GRAVES = 8192


class Cache:
    """Bodies by kind and name, indexed by Model. A reader has a copy of its own."""

    def __init__(self) -> None:
        self._kept: dict[Kind, dict[str, Kept]] = {kind: {} for kind in WATCHED}
        self._models: dict[Kind, dict[str, set[str]]] = {kind: {} for kind in WATCHED}
        self._graves: OrderedDict[str, None] = OrderedDict()
        self._listeners: list[Callable[[str], None]] = []

    def get(self, kind: Kind, name: str) -> Body | None:
        known = self._kept[kind].get(name)
        return known.body if known is not None else None

    def of_model(self, kind: Kind, model: str) -> list[Body]:
        """The Model's objects of that kind, sorted by name."""
        kept = self._kept[kind]
        return [kept[name].body for name in sorted(self._models[kind].get(model, ()))]

    def names_of(self, kind: Kind, model: str, *, component: str) -> set[str]:
        """Names of the Model's children of that kind and component."""
        kept, names = self._kept[kind], self._models[kind].get(model, ())
        return {name for name in names if kept[name].component == component}

    def knows(self, kind: Kind, body: Body) -> bool:
        """Whether ``body`` tells nothing new: this very object was seen so, or later. Also for
        threads that do not own the cache: their answer may be a moment old.
        """
        known = self._kept[kind].get(name_of(body))
        return known is not None and known.uid == uid_of(body) and known.covers(body)

    def all(self, kind: Kind) -> list[Body]:
        """Every object of a kind, in no order: for few objects."""
        return [known.body for known in self._kept[kind].values()]

    def uids(self, kind: Kind) -> set[str]:
        """Of every object of a kind."""
        return {known.uid for known in self._kept[kind].values()}

    def census(self, kind: Kind) -> Counter[str]:
        """How many of a kind are in which state."""
        return Counter(known.state for known in self._kept[kind].values())

    def put(self, kind: Kind, body: Body) -> bool:
        """Keep it, if it is newer than what is known. Whether it was.

        Listeners hear of it when it says something that somebody reads.
        """
        name, model = name_of(body), model_of(kind, body)
        known = self._kept[kind].get(name)
        if uid_of(body) in self._graves or (known is not None and known.covers(body)):
            return False
        if known is not None:
            self._forget(kind, name, known)
        if model:
            newer = self._kept[kind][name] = keep(kind, body, model)
            self._models[kind].setdefault(model, set()).add(name)
            if known is not None and newer.repeats(known):
                return True
        self._tell(model, known.model if known is not None else "")
        return bool(model)

    def drop(self, kind: Kind, name: str, *, uid: str = "") -> bool:
        """It is gone; with ``uid`` only that very object. Whether it was known."""
        if uid:
            self._bury(uid)
        known = self._kept[kind].get(name)
        if known is None or (uid and known.uid != uid):
            return False
        self._bury(known.uid)
        self._forget(kind, name, known)
        self._tell(known.model)
        return True

    def names(self, kind: Kind) -> dict[str, str]:
        """Name → resource version of everything known of a kind."""
        return {name: known.version for name, known in self._kept[kind].items()}

    def models(self) -> set[str]:
        """Every Model that there is, that a version names or that a child was made for."""
        return {model for index in self._models.values() for model in index}

    def listen(self, told: Callable[[str], None]) -> Callable[[], None]:
        """``told`` hears the Model of every change from now on. The result ends that."""
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)

    def _forget(self, kind: Kind, name: str, known: Kept) -> None:
        del self._kept[kind][name]
        index = self._models[kind]
        index[known.model].discard(name)
        if not index[known.model]:
            del index[known.model]

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
