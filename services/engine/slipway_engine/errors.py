"""The engine's error tree.

EngineError
├── HeadError   the local Ray head cannot be started as asked
├── Refused     the artifact may not be served; ``reason`` is one of the contract's
└── NotReady    the engine came up but did not answer a real completion

Ray Serve hands a platform nothing but a traceback as text, so the last two print as
one line of ``slipway_contracts.backend.failure_line``.
"""

from __future__ import annotations

from slipway_contracts.backend import failure_line
from slipway_contracts.conditions import Reason


class EngineError(Exception):
    """Root of everything that this package raises on purpose."""


class HeadError(EngineError):
    """The local Ray head cannot be started as asked."""


class Refused(EngineError):
    """The artifact may not be served."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(failure_line(reason, message))
        self.reason = reason


class NotReady(EngineError):
    """The engine came up but did not answer a real completion."""

    def __init__(self, message: str) -> None:
        super().__init__(failure_line(Reason.STARTUP_FAILED, message))
