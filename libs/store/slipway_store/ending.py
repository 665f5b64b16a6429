"""Loops that go on after errors, and still end when they are told to.

A task that is cancelled while an error is on its way up loses the cancellation: a ``TaskGroup``
raises the error, a database client turns the cancellation into one of its own. Who catches
``Exception`` in a loop therefore asks here first.
"""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raise CancelledError where this task was cancelled and nobody has answered for it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
