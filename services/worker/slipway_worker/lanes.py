"""Whose turn it is: lanes (a kind and a tenant) are served round robin, higher ranks first.

Pure. A tenant with ten thousand jobs waits for the one with a single job as long as that one waits
for the first: once around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

# Questions to the database that one look for work may take.
GROUPS = 4


class Turns:
    """``rank_of`` a lane; None leaves it out."""

    def __init__(self, rank_of: Callable[[str], int | None]) -> None:
        self._rank_of = rank_of
        self._ranks: dict[str, int] = {}
        self._served: dict[str, int] = {}
        self._count = 0

    @property
    def known(self) -> list[str]:
        """The lanes of the last ``update``."""
        return list(self._ranks)

    def update(self, lanes: Iterable[str]) -> None:
        """These hold jobs now."""
        ranked = ((lane, self._rank_of(lane)) for lane in lanes)
        self._ranks = {lane: rank for lane, rank in ranked if rank is not None}
        self._served = {lane: at for lane, at in self._served.items() if lane in self._ranks}

    def order(self) -> list[str]:
        """The lanes, whose turn is first at the front."""
        return sorted(self._ranks, key=lambda lane: (-self._ranks[lane], self._turn(lane), lane))

    def groups(self, room: int, *, limit: int) -> list[list[str]]:
        """Whom to ask in which order, where a lane gives at most ``limit`` jobs (0: no limit).

        As many lanes together as fill the room, so that none of them crowds out another; after a
        few that had nothing, all.
        """
        order = self.order()
        width = -(-room // limit) if limit else 1
        groups = [order[at : at + width] for at in range(0, len(order), width)]
        return groups if len(groups) <= GROUPS else [*groups[: GROUPS - 1], order]

    def serve(self, lane: str) -> None:
        """The lane had its turn."""
        self._count += 1
        self._served[lane] = self._count

    def _turn(self, lane: str) -> int:
        return self._served.get(lane, 0)
