"""What goes wrong with a job.

::

    WorkerError
    ├── TryLater       nobody could do it now (no capacity, a limit): no attempt is counted
    ├── AttemptFailed  it was tried and broke off: an attempt is counted, then it backs off
    └── Hopeless       it will never work; ``told`` is what the asker may read

A kind raises these; anything else that it raises counts as ``AttemptFailed``.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Base."""


class TryLater(WorkerError):
    """``after``: seconds that the other side asked for; None: as the backoff has it."""

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class AttemptFailed(WorkerError):
    """The attempt broke off."""


class Hopeless(WorkerError):
    """The request itself is refused."""

    def __init__(self, message: str, *, told: str = "") -> None:
        super().__init__(message)
        self.told = told
