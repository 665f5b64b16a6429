"""Where the rows lie that were appended to a segment a moment ago, so that shipping need not look.

What this process has just written is read without searching it for frames and without checking its
checksums again. Ordinals and places only: the rows themselves are in the file. Bounded: where
shipping does not keep up, the places so far are let go and the file is searched until it has caught
up. Knows no file.
"""

from __future__ import annotations

from collections import deque

LIMIT = 65_536


class Kept:
    """Places of rows in order, without gaps. ``first``: the ordinal of the oldest."""

    __slots__ = ("_places", "first")

    def __init__(self) -> None:
        self._places: deque[tuple[int, int]] = deque()
        self.first = 1

    def add(self, start: int, end: int) -> None:
        """The next row's frame lies here."""
        if len(self._places) >= LIMIT:
            self.first += len(self._places)
            self._places.clear()
        self._places.append((start, end))

    def take(self, after: int, limit: int) -> list[tuple[int, int]]:
        """Of up to ``limit`` rows after the ordinal ``after``, which leave; none where one is
        missing. Those before go, too."""
        while self._places and self.first <= after:
            self._leave()
        if self.first != after + 1:
            return []
        return [self._leave() for _ in range(min(limit, len(self._places)))]

    def _leave(self) -> tuple[int, int]:
        self.first += 1
        return self._places.popleft()
