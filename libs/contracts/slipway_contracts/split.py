"""Which bucket of a Model's split a unit falls into: the same in every process, for ever."""

from __future__ import annotations

import hashlib

BUCKETS = 10_000


def bucket_of(salt: str, unit: str) -> int:
    """Unit → bucket in [0, 10000), uniform and independent for each salt."""
    digest = hashlib.blake2b(unit.encode(), digest_size=8, key=salt.encode()[:64]).digest()
    return int.from_bytes(digest, "big") % BUCKETS
