"""Label values up to the catalogue's bound; what comes after it is counted together.

A name that people choose (a Model, a tenant) must not make a page of metrics longer than its
readers can bear. ``Names`` is for values that are told anew at every scrape: old ones leave by not
being told. ``Book`` is for counts that are kept between scrapes: what is beyond the bound shares
one entry, and what has not moved for long leaves. Knows no metric.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from slipway_contracts.metrics.kinds import OTHER, Label


class Names:
    """One scrape's label values: the first of each label keep their names."""

    def __init__(self) -> None:
        self._taken: dict[str, set[str]] = {}

    def fit(self, of: tuple[Label, ...], values: tuple[str, ...]) -> tuple[str, ...]:
        """The values as they are shown. Closed labels are left alone."""
        return tuple(
            value if label.values else self._fit(label, value)
            for label, value in zip(of, values, strict=True)
        )

    def _fit(self, label: Label, value: str) -> str:
        taken = self._taken.setdefault(label.name, set())
        if value not in taken:
            if len(taken) >= label.bound:
                return OTHER
            taken.add(value)
        return value


class Counted(Protocol):
    """An entry of a book."""

    @property
    def moved(self) -> int:
        """Rises with everything that it counts."""
        ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Counted)


class Book(dict[K, V], Generic[K, V]):
    """Entries by name, made when first asked for; beyond ``limit`` all share ``other``.

    A look-up is a dictionary's. Whoever keeps an entry may go on with it after it left: what it
    counts then is not shown.
    """

    def __init__(self, limit: int, make: Callable[[], V]) -> None:
        super().__init__()
        self.limit = limit
        self.other = make()
        self._make = make
        self._seen: dict[K, tuple[int, float]] = {}

    def __missing__(self, key: K) -> V:
        if len(self) >= self.limit or not self.admits(key):
            return self.other
        entry = self[key] = self._make()
        return entry

    def admits(self, key: K) -> bool:
        """Whether there is room for this one; for books with a second bound."""
        return True

    def forget(self, now: float, *, idle: float, keep: Callable[[K], bool]) -> None:
        """Entries leave that need not be kept and have not moved for ``idle`` seconds."""
        seen, self._seen = self._seen, {}
        for key, entry in tuple(self.items()):
            moved, since = seen.get(key, (-1, now))
            if entry.moved != moved or keep(key):
                moved, since = entry.moved, now
            if now - since >= idle:
                del self[key]
            else:
                self._seen[key] = moved, since
