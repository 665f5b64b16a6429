"""Which ports local mode listens on: the public one as asked, the internal ones where free."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from slipway_cli.errors import InvalidInput
from slipway_cli.local.layout import LocalState

LOOPBACK = "127.0.0.1"


class PortTaken(InvalidInput):
    """The public port is in use by somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Ports on loopback, except ``host`` for the gateway."""

    host: str
    gateway: int
    serve: int
    dashboard: int
    gcs: int
    worker: int

    def state(self, *, dsn: str, home: str) -> LocalState:
        client = LOOPBACK if self.host == "0.0.0.0" else self.host
        return LocalState(
            dsn=dsn,
            gateway_url=f"http://{client}:{self.gateway}",
            gateway_host=self.host,
            gcs_port=self.gcs,
            serve_url=f"http://{LOOPBACK}:{self.serve}",
            dashboard_url=f"http://{LOOPBACK}:{self.dashboard}",
            worker_url=f"http://{LOOPBACK}:{self.worker}",
            home=home,
        )

    @classmethod
    def of(cls, state: LocalState) -> Endpoints:
        """The ports that a living platform was started with."""
        urls = (state.gateway_url, state.serve_url, state.dashboard_url, state.worker_url)
        ports = [urlsplit(url).port or 0 for url in urls]
        return cls(
            host=state.gateway_host,
            gateway=ports[0],
            serve=ports[1],
            dashboard=ports[2],
            gcs=state.gcs_port,
            worker=ports[3],
        )


def choose(host: str, port: int) -> Endpoints:
    """Raises PortTaken when the gateway's port is in use; the others move to free ones."""
    if not _is_free(host, port):
        raise PortTaken(f"port {port} is in use; stop what listens there or give --port")
    taken = {port}
    chosen = []
    for preferred in (8100, 8265, 6379, 8090):
        found = preferred if _is_free(LOOPBACK, preferred) and preferred not in taken else 0
        chosen.append(found or _any_free(taken))
        taken.add(chosen[-1])
    serve, dashboard, gcs, worker = chosen
    return Endpoints(
        host=host, gateway=port, serve=serve, dashboard=dashboard, gcs=gcs, worker=worker
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
