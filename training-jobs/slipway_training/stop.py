"""The wish to stop: set by SIGTERM or SIGINT, asked for at safe places.

Python runs signal handlers between bytecodes, so the flag is all that a handler may touch.
"""

from __future__ import annotations

import signal
from types import FrameType

from slipway_training.errors import Interrupted


class StopFlag:
    """Set once, never cleared."""

    def __init__(self) -> None:
        self.wanted = False

    def install(self) -> None:
        """Let SIGTERM and SIGINT set the flag (main thread only)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True

    def check(self) -> None:
        """Raise Interrupted if a stop is wanted; what is on disk so far resumes."""
        if self.wanted:
            raise Interrupted("stopped by signal; start the run again to resume")
