"""The operator's errors.

OperatorError
├── Transient   the world will change: try again after ``delay`` seconds
│   └── Conflict   somebody wrote first: read again now
├── Terminal    trying again will not help: ``reason`` becomes a condition
└── LeaseLost   another replica may lead now: this process ends
"""

from __future__ import annotations

from slipway_contracts.conditions import Reason


class OperatorError(Exception):
    """Base of all."""


class Transient(OperatorError):
    """Try again after ``delay`` seconds."""

    def __init__(self, message: str, *, delay: float = 2.0) -> None:
        super().__init__(message)
        self.delay = delay


class Conflict(Transient):
    """The object changed since it was read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, delay=0.1)


class Terminal(OperatorError):
    """Trying again will not help."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class LeaseLost(OperatorError):
    """This replica leads no more, or cannot know that it does."""
