"""Which ports local mode listens on: the public one as asked, the internal ones where free."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from slipway_cli.errors import InvalidInput
from slipway_cli.local.layout import LocalState

LOOPBACK = "127.0.0.1"


class PortTaken(InvalidInput):
    """The public port is in use by somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Ports on loopback, except ``host`` for the gateway. 0: there is no such process."""

    host: str
    gateway: int
    serve: int
    dashboard: int
    gcs: int
    worker: int
    gateways: tuple[int, ...] = ()
    operator: int = 0
    engines: int = 0
    prometheus: int = 0
    node_exporter: int = 0

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
            gateway_urls=tuple(f"http://{LOOPBACK}:{port}" for port in self.gateways),
            operator_url=_url(self.operator),
            engines_url=_url(self.engines),
            prometheus_url=_url(self.prometheus),
            node_exporter_port=self.node_exporter,
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
            gateways=tuple(urlsplit(url).port or 0 for url in state.gateway_urls),
            operator=urlsplit(state.operator_url or "").port or 0,
            engines=urlsplit(state.engines_url or "").port or 0,
            prometheus=urlsplit(state.prometheus_url or "").port or 0,
            node_exporter=state.node_exporter_port,
        )

    def observed(self, *, node_exporter: bool) -> Endpoints:
        """With ports for those who watch; those that there are stay."""
        taken = {self.gateway, self.serve, self.dashboard, self.gcs, self.worker}
        taken |= {*self.gateways, self.operator, self.engines}
        prometheus = self.prometheus or _preferred(9090, taken)
        node = self.node_exporter
        if node_exporter and not node:
            node = _preferred(9100, taken | {prometheus})
        return replace(self, prometheus=prometheus, node_exporter=node)


def choose(host: str, port: int, *, gateways: int) -> Endpoints:
    """Raises PortTaken when the gateway's port is in use; the others move to free ones."""
    if not _is_free(host, port):
        raise PortTaken(f"port {port} is in use; stop what listens there or give --port")
    taken = {port}
    chosen = []
    for preferred in (8100, 8265, 6379, 8090, 8091, 8092, *range(8093, 8093 + gateways)):
        chosen.append(_preferred(preferred, taken))
        taken.add(chosen[-1])
    serve, dashboard, gcs, worker, operator, engines, *own = chosen
    return Endpoints(
        host=host,
        gateway=port,
        serve=serve,
        dashboard=dashboard,
        gcs=gcs,
        worker=worker,
        gateways=tuple(own),
        operator=operator,
        engines=engines,
    )


def _url(port: int) -> str | None:
    return f"http://{LOOPBACK}:{port}" if port else None


def _preferred(port: int, taken: set[int]) -> int:
    return port if port not in taken and _is_free(LOOPBACK, port) else _any_free(taken)


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
