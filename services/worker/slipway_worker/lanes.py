"""Whose turn it is: lanes (a kind and a tenant) are served round robin, higher ranks first.

Pure. A tenant with ten thousand jobs waits for the one with a single job as long as that one waits
for the first: once around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


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

    def share(self, lane: str, room: int) -> int:
        """How many jobs of ``room`` a lane may take in its turn: what its rank's lanes leave it."""
        rivals = sum(rank == self._ranks[lane] for rank in self._ranks.values())
        return max(1, -(-room // rivals))

    def serve(self, lane: str) -> None:
        """The lane had its turn."""
        self._count += 1
        self._served[lane] = self._count

    def _turn(self, lane: str) -> int:
        return self._served.get(lane, 0)
