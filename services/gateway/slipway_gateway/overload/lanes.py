"""Who waits for one backend, in the order in which they are to be served.

A class holds the turns of one priority; in it each tenant has a lane, and lanes share by start-time
fair queueing: a lane's next turn costs it 1/weight of virtual time, and the lane that is furthest
behind is next. So a tenant with a thousand waiting turns is served as often as one with a single
turn. Within a lane its callers (keys) take turns, and each is served first come, first served.
Operations cost O(log tenants). Knows no clock and no limits.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lane(Generic[Item]):
    """One tenant's waiting turns. ``tag``: the virtual time at which its next one starts."""

    __slots__ = ("callers", "listed", "name", "size", "tag", "weight")

    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.tag = 0.0
        self.size = 0
        # The caller whose turn it is comes first; only those with somebody waiting.
        self.callers: OrderedDict[str, OrderedDict[Item, None]] = OrderedDict()
        self.listed = False

    def add(self, caller: str, item: Item) -> None:
        """At the end of its caller's turns."""
        self.callers.setdefault(caller, OrderedDict())[item] = None
        self.size += 1

    def remove(self, caller: str, item: Item) -> None:
        """Wherever it stands."""
        turns = self.callers[caller]
        del turns[item]
        self.size -= 1
        if not turns:
            del self.callers[caller]

    def pop(self) -> Item:
        """The next; its caller goes to the end."""
        caller, turns = next(iter(self.callers.items()))
        item, _ = turns.popitem(last=False)
        self.size -= 1
        if turns:
            self.callers.move_to_end(caller)
        else:
            del self.callers[caller]
        return item

    def held(self, caller: str) -> int:
        """How many turns this caller has waiting."""
        return len(self.callers.get(caller, ()))

    def longest(self) -> OrderedDict[Item, None]:
        """The turns of the caller that holds most."""
        return max(self.callers.values(), key=len)


class Class(Generic[Item]):
    """All who wait with one priority."""

    def __init__(self, priority: int) -> None:
        self.priority = priority
        self.size = 0
        self._now = 0.0
        self._lanes: dict[str, Lane[Item]] = {}
        self._order: list[tuple[float, int, Lane[Item]]] = []
        self._numbers = count()
        # Lanes by the number of their turns: who holds most is known at once.
        self._by_length: dict[int, dict[str, Lane[Item]]] = {}
        self._longest = 0

    def lanes(self) -> int:
        """How many tenants wait."""
        return sum(len(lanes) for lanes in self._by_length.values())

    def ahead(self, name: str, caller: str) -> int:
        """How many may be served before a turn that this caller takes now, at most."""
        lane = self._lanes.get(name)
        if lane is None or not lane.size:
            return min(self.size, self.lanes())
        # The tenant's other callers are each served once before this one is served again.
        own = min(lane.size, (lane.held(caller) + 1) * len(lane.callers))
        return min(self.size, (own + 1) * self.lanes())

    def loser(self, name: str, caller: str) -> Item | None:
        """The turn that gives way to one of this caller's: the newest of who holds most. None
        where that is the caller itself, or hardly holds more: to refuse who has just come is
        kinder than to refuse who has waited."""
        lane = self._lanes.get(name)
        if self._longest > _enough(lane.size if lane is not None else 0):
            return self.newest_of_longest()
        if lane is None or not lane.size or len(lane.longest()) <= _enough(lane.held(caller)):
            return None
        return next(reversed(lane.longest()))

    def add(self, name: str, weight: float, caller: str, item: Item) -> None:
        """At the end of its caller's turns, in its tenant's lane."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, weight)
        lane.weight = weight
        if not lane.size:
            # Credit is not saved up while a tenant has nothing to wait for.
            lane.tag = max(lane.tag, self._now)
        lane.add(caller, item)
        self.size += 1
        self._moved(lane, lane.size - 1)
        if not lane.listed:
            self._list(lane)

    def remove(self, name: str, caller: str, item: Item) -> None:
        """Wherever it stands."""
        lane = self._lanes[name]
        lane.remove(caller, item)
        self.size -= 1
        self._moved(lane, lane.size + 1)
        self._tidy()

    def newest_of_longest(self) -> Item:
        """The last to come of the tenant that holds most, and there of the caller that holds most;
        it stays where it is."""
        lane = next(iter(self._by_length[self._longest].values()))
        return next(reversed(lane.longest()))

    def pop(self) -> Item:
        """The next turn. Raises IndexError when nobody waits."""
        while True:
            tag, _, lane = heapq.heappop(self._order)
            lane.listed = False
            if not lane.size:
                self._drop(lane)
            elif tag < lane.tag:
                # It had emptied and filled again since it was listed.
                self._list(lane)
            else:
                return self._take(lane)

    def _take(self, lane: Lane[Item]) -> Item:
        self._now = max(self._now, lane.tag)
        item = lane.pop()
        self.size -= 1
        lane.tag += 1.0 / lane.weight
        self._moved(lane, lane.size + 1)
        # Also an empty lane: its tag is what it owes, until virtual time has passed it.
        self._list(lane)
        self._tidy()
        return item

    def _list(self, lane: Lane[Item]) -> None:
        lane.listed = True
        heapq.heappush(self._order, (lane.tag, next(self._numbers), lane))

    def _drop(self, lane: Lane[Item]) -> None:
        """A lane with nothing left whose turn it would be: all others are as far as it is."""
        self._now = max(self._now, lane.tag)
        del self._lanes[lane.name]

    def _moved(self, lane: Lane[Item], before: int) -> None:
        """A lane has one turn more or less than ``before``."""
        if before:
            lanes = self._by_length[before]
            del lanes[lane.name]
            if not lanes:
                del self._by_length[before]
        after = lane.size
        if after:
            self._by_length.setdefault(after, {})[lane.name] = lane
        if after > self._longest or self._longest not in self._by_length:
            self._longest = after

    def _tidy(self) -> None:
        """Lanes that emptied by leaving are not kept for ever: callers may come and go."""
        if len(self._order) > 64 and len(self._order) > 4 * self.size:
            for _, _, lane in self._order:
                lane.listed = bool(lane.size)
                if not lane.size:
                    del self._lanes[lane.name]
            self._order = [entry for entry in self._order if entry[2].listed]
            heapq.heapify(self._order)


def _enough(held: int) -> int:
    """Who holds more than this holds more than its share, beside one that holds so many."""
    return held + 1 + held // 4
