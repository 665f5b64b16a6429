"""vLLM's processes nap while they wait for one another, instead of spinning for a second.

A vLLM plugin (entry point ``vllm.general_plugins``), loaded by vLLM in each of its processes. Where
cores are many a spinning reader saves 100 µs a step; two engines on a laptop have four such readers
on two cores, and what they burn is missing where tokens are made. Only CPU engines ask for it, by
``VLLM_PLUGINS`` in ``settings.environment``.
"""

from __future__ import annotations

import functools
import time
from typing import Any

NAME = "slipway_patience"
# A step of a small model takes 5 ms; a nap ends late by half of itself on average, twice a step.
NAP_SECONDS = 200e-6


def install() -> None:
    """Make ``SpinCondition.wait`` nap where it would spin. Safe to call again.

    Its notification socket alone will not do: by vLLM's own account a message can be lost there,
    and the reader looks again only after 5 s.
    """
    from vllm.distributed.device_communicators import shm_broadcast

    original = shm_broadcast.SpinCondition.wait
    if getattr(original, "patient", False):
        return

    @functools.wraps(original)
    def wait(self: Any, timeout_ms: int | None = None) -> None:
        if time.monotonic() <= self.last_read + self.busy_loop_s:
            time.sleep(NAP_SECONDS)
        else:
            original(self, timeout_ms)

    wait.patient = True  # type: ignore[attr-defined]
    shm_broadcast.SpinCondition.wait = wait
