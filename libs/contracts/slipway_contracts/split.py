"""Which bucket of a Model's split a unit falls into: the same in every process, for ever."""

from __future__ import annotations

import hashlib
from typing import Final

BUCKETS: Final = 10_000


class Split:
    """The buckets of one salt."""

    def __init__(self, salt: str) -> None:
        self._salted = hashlib.blake2b(digest_size=8, key=salt.encode()[:64])

    def bucket(self, unit: str) -> int:
        """Unit → bucket in [0, 10000), uniform and independent for each salt."""
        # A copy is half the price of a new one.
        digest = self._salted.copy()
        digest.update(unit.encode())
        return int.from_bytes(digest.digest(), "big") % BUCKETS
