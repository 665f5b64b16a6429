"""``python -m slipway_worker``: one process; as many of them as the queue needs.

SIGTERM or SIGINT: no new jobs → running ones finish (shutdown_grace) → the rest is given back →
exit 0. A second signal gives back at once. SIGKILL: the others take its jobs after
heartbeat_timeout, and no effect is lost or stored twice.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import uvloop

from slipway_telemetry.client import only_the_catalogue
from slipway_telemetry.line import Service
from slipway_telemetry.logs import configure_logs
from slipway_telemetry.tracing import Tracer, open_tracing
from slipway_worker.settings import Settings, load_settings
from slipway_worker.worker import MakeKinds, Worker, product_kinds

logger = logging.getLogger("slipway_worker")

EXIT_CONFIG = 78
# It tells every retry; the worker tells what matters of them.
QUIET = {"pgqueuer": logging.WARNING}


async def serve(settings: Settings, make_kinds: MakeKinds, *, tracer: Tracer | None = None) -> None:
    """Until a signal."""
    worker = Worker(settings, make_kinds, tracer=tracer)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.leave)
    await worker.run()


def main(make_kinds: MakeKinds = product_kinds) -> int:
    """The process's exit code."""
    configure_logs(Service.WORKER, quiet=QUIET)
    only_the_catalogue()
    try:
        settings = load_settings()
    except ValueError as error:
        logger.error("cannot start: %s", error)
        return EXIT_CONFIG
    logger.info("starting; settings %s", settings.redacted())
    tracer = open_tracing(Service.WORKER)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, make_kinds, tracer=tracer))
    if tracer is not None:
        tracer.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
