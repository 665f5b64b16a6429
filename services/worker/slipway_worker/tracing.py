"""A job belongs to the trace of who asked for it: its payload holds that request's ``traceparent``.

What runs inside ``job_trace`` logs with that trace's ids and asks the gateway as part of it. With a
tracer the job is a span of its own; without one the asker's context is passed on as it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slipway_telemetry.trace import CURRENT, read_trace
from slipway_telemetry.tracing import Kind, Tracer
from slipway_worker.kinds import Job


@contextmanager
def job_trace(tracer: Tracer | None, kind: str, job: Job) -> Iterator[None]:
    """Around one run of ``job``."""
    asked = read_trace(job.trace)
    if tracer is not None:
        about = {
            "slipway.job": job.id,
            "slipway.tenant": job.tenant or None,
            "slipway.attempt": job.attempts + 1,
        }
        with tracer.during(f"job {kind}", Kind.CONSUMER, parent=asked, attributes=about):
            yield
        return
    token = CURRENT.set(asked)
    try:
        yield
    finally:
        CURRENT.reset(token)


def trace_headers() -> dict[str, str]:
    """What a request made by the running job carries."""
    now = CURRENT.get()
    return {} if now is None else now.headers()
