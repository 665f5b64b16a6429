"""The clock of log rows: UTC, strictly rising within a process.

The watermark says "everything that ended before this is shipped". With two equal readings, or a
wall clock set back, a row could end up behind a watermark that was already told.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class RowClock:
    """``now`` never gives a time twice and never goes back."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> datetime:
        """Aware UTC, microseconds."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return datetime.fromtimestamp(self._last / 1_000_000, UTC)
