"""``python -m slipway_gateway``: one process on the port that its siblings share.

SIGTERM or SIGINT: not ready → (drain_delay) → no new connections → streams finish → log flushed →
exit 0. A second signal ends it at once; the log's segment survives that.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from slipway_gateway.app import Gateway, create_app
from slipway_gateway.attempts.segment import SlotTaken
from slipway_gateway.hotpath.deps import HotPath
from slipway_gateway.hotpath.protocol import ClientConnection
from slipway_gateway.settings import Settings, load_settings
from slipway_telemetry.line import Service
from slipway_telemetry.logs import configure_logs
from slipway_telemetry.tracing import open_tracing

logger = logging.getLogger("slipway_gateway")

EXIT_CONFIG = 78
# Bytes that a client does not acknowledge for this long end its connection (half-open sockets,
# windows that stay closed).
USER_TIMEOUT_MS = 60_000
BACKLOG = 1024
GC_THRESHOLD = 20_000
# A client's broken request is its own affair, and not worth a line each.
QUIET = {"uvicorn.error": logging.ERROR}


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: ours first makes the process unready."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A bound socket that other processes may share. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock


def listen_alone(port: int) -> socket.socket:
    """A bound socket of this process only, on loopback. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def _connections(hot: HotPath) -> Callable[..., ClientConnection]:
    """What uvicorn's server calls for each connection; the loop is the one that runs."""

    def connection(
        config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None
    ) -> ClientConnection:
        return ClientConnection(config, server_state, app_state, hot=hot)

    return connection


async def serve(gateway: Gateway, settings: Settings, socks: list[socket.socket]) -> None:
    """Until a signal."""
    config = uvicorn.Config(
        gateway,
        # Called as a class would be.
        http=_connections(gateway.hot),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Who forwards is not trusted with addresses (hotpath.admission).
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=int(settings.shutdown_grace) + 1,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    drains: list[asyncio.Task[None]] = []

    async def drain() -> None:
        gateway.draining = True
        logger.info("draining")
        # From the next tick on every answer asks its client to connect anew, to another process.
        config.encoded_headers.append((b"connection", b"close"))
        await asyncio.sleep(settings.drain_delay)
        server.should_exit = True

    def stop() -> None:
        if drains:
            server.should_exit = server.force_exit = True
        drains.append(asyncio.create_task(drain()))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=socks)
    await asyncio.gather(*drains)


def main() -> int:
    """The process's exit code."""
    configure_logs(Service.GATEWAY, quiet=QUIET)
    try:
        settings = load_settings()
        tracer = open_tracing(Service.GATEWAY)
        gateway = create_app(settings, tracer=tracer)
        socks = [listen(settings.host, settings.port)]
        if settings.own_port:
            socks.append(listen_alone(settings.own_port))
    except (ValueError, SlotTaken, OSError) as error:
        logger.error("cannot start: %s", error)
        return EXIT_CONFIG
    host, port = socks[0].getsockname()[:2]
    logger.info("listening on %s port %s; settings %s", host, port, settings.redacted())
    # What lives as long as the process is not looked at again; what a request makes dies with it,
    # by reference counts, so looking often finds nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(gateway, settings, socks))
    if tracer is not None:
        tracer.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
