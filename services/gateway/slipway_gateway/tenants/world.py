"""What all counters of a process know of the other gateways, and how much they may take on trust.

Written by the background task, read by every counter.
"""

from __future__ import annotations

from dataclasses import dataclass

# A lease that was not touched for so long goes back.
IDLE = 1.0


@dataclass(slots=True)
class World:
    """What all meters of a process share. ``away``: PostgreSQL does not answer."""

    peers: int = 4
    away: bool = False
    open_when_away: bool = True


def credit_of(free: int, peers: int, *, fresh: bool) -> int:
    """What one gateway may owe. At least one as long as anything is free."""
    share = free if peers == 1 else free // (peers if fresh else 2 * peers)
    return max(share, min(1, free))
