"""A span a pass over a Model, where the process has a tracer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slipway_telemetry.tracing import Kind, Tracer

Pass = Callable[[str], Awaitable[float | None]]


def traced(reconcile: Pass, tracer: Tracer | None) -> Pass:
    """``reconcile``; what it logs carries its span's ids."""
    if tracer is None:
        return reconcile

    async def passed(model: str) -> float | None:
        with tracer.during("reconcile", Kind.INTERNAL, attributes={"slipway.model": model}):
            return await reconcile(model)

    return passed
