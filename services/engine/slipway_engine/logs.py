"""A replica's lines, whoever says them: our own, Ray Serve's and vLLM's in the one schema.

Ray and vLLM put handlers in place before a replica's code runs. Where they write stays theirs; how
a line looks is ours, with the model and the version that the replica serves. vLLM's engine core is
a process of its own and keeps vLLM's form, as Ray's own daemons keep theirs.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterator

from slipway_contracts.backend import BackendArgs
from slipway_telemetry.line import Service
from slipway_telemetry.logs import JsonLines

LOGGERS = ("ray.serve", "vllm", "slipway_engine")


def speak(backend: BackendArgs) -> None:
    """From now on, in this process. Safe to call again."""
    bound = {"model": backend.model, "version": backend.version}
    formatter = JsonLines(Service.ENGINE, bound=bound)
    for name in LOGGERS:
        for handler in _handlers(logging.getLogger(name)):
            handler.setFormatter(formatter)


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    for handler in logger.handlers:
        yield handler
        # Serve collects lines before it writes them; who writes is behind.
        if isinstance(handler, logging.handlers.MemoryHandler) and handler.target is not None:
            yield handler.target
