"""Every route that is not hot: uvicorn's own cycle of one request, with FastAPI behind it.

The client's connection parses all requests alike and hands these over; here is what an ASGI
application wants to know of one, and where its body goes. Knows no hot route and no backend.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

logger = logging.getLogger("uvicorn.error")


class ColdRoutes:
    """The application as one connection calls it. ``config`` and ``state`` are uvicorn's.

    ``client``: the address and port that call. ``attach`` it before anything else.
    """

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any]) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._transport: Any = None
        self._flow: Any = None
        self._on_response: Any = None
        self._server: Any = None
        self._scheme = "http"
        self.client: tuple[str, int] | None = None

    def attach(self, transport: Any, flow: FlowControl, on_response: Any) -> None:
        """The connection is there; ``on_response`` is called at each answer's end."""
        self._transport, self._flow, self._on_response = transport, flow, on_response
        self.client = get_remote_addr(transport)
        self._server = get_local_addr(transport)
        self._scheme = "https" if is_ssl(transport) else "http"

    def cycle(
        self,
        parser: Any,
        *,
        url: bytes,
        headers: list[tuple[bytes, bytes]],
        expects_continue: bool,
        keep_alive: bool,
    ) -> RequestResponseCycle:
        """A request whose head has come. Raises httptools' errors for a target that is none."""
        # Its parts may be None, whatever its stub says.
        target: Any = httptools.parse_url(url)
        raw_path = target.path or b"/"
        path = raw_path.decode("ascii")
        root = self._config.root_path
        scope: Any = {
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "http_version": parser.get_http_version(),
            "method": parser.get_method().decode("ascii"),
            "path": root + (unquote(path) if "%" in path else path),
            "raw_path": root.encode("ascii") + raw_path,
            "query_string": target.query or b"",
            "root_path": root,
            "scheme": self._scheme,
            "server": self._server,
            "client": self.client,
            "headers": headers,
            "state": self._app_state.copy(),
        }
        return RequestResponseCycle(
            scope=scope,
            transport=self._transport,
            flow=self._flow,
            logger=logger,
            access_logger=logger,
            access_log=False,
            default_headers=self._server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_continue,
            keep_alive=keep_alive,
            on_response=self._on_response,
        )

    def start(self, cycle: RequestResponseCycle) -> None:
        """Its turn has come."""
        running = cycle.run_asgi(self._config.loaded_app)
        task = asyncio.get_running_loop().create_task(running)
        task.add_done_callback(self._server_state.tasks.discard)
        self._server_state.tasks.add(task)


def add_body(cycle: RequestResponseCycle, body: bytes, flow: FlowControl) -> None:
    """A piece of the body; reading pauses until the application has taken what is there."""
    if cycle.response_complete:
        return
    cycle.body += body
    if len(cycle.body) > HIGH_WATER_LIMIT:
        flow.pause_reading()
    cycle.message_event.set()


def end_body(cycle: RequestResponseCycle) -> None:
    """There is no more of it."""
    if not cycle.response_complete:
        cycle.more_body = False
        cycle.message_event.set()


def disconnect(cycle: RequestResponseCycle) -> None:
    """Nobody reads its answer; its task goes on and learns it."""
    cycle.disconnected = True
    cycle.message_event.set()
