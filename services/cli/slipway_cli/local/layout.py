"""Where local mode keeps things, and the file through which other commands find it.

``$SLIPWAY_HOME`` (default ``~/.slipway``): local.json, postgres/, runs/, artifacts/, gateway/,
observe/, logs/. ``local.json`` exists while the platform is up.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from slipway_contracts.base import Spec


class LocalState(Spec):
    """What ``slipway up`` tells the other commands."""

    dsn: str
    gateway_url: str
    serve_url: str
    dashboard_url: str
    home: str
    gateway_host: str = "127.0.0.1"
    gcs_port: int = 6379
    worker_url: str = "http://127.0.0.1:8090"
    gateway_urls: tuple[str, ...] = ()
    """Each gateway process by itself, for those who read its metrics."""
    operator_url: str | None = None
    engines_url: str | None = None
    """Ray's metrics."""
    prometheus_url: str | None = None
    node_exporter_port: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders under one home."""

    home: Path

    @property
    def state_file(self) -> Path:
        return self.home / "local.json"

    @property
    def processes_file(self) -> Path:
        return self.home / "processes.json"

    @property
    def supervisor_file(self) -> Path:
        return self.home / "supervisor.json"

    @property
    def ready_file(self) -> Path:
        """There from the moment everything answers until it is stopped."""
        return self.home / "ready"

    @property
    def lock_file(self) -> Path:
        return self.home / "supervisor.lock"

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def observe(self) -> Path:
        """Prometheus' configuration, targets and data."""
        return self.home / "observe"

    @property
    def targets(self) -> Path:
        """Files that tell a Prometheus whom to scrape."""
        return self.observe / "targets"

    def gateway_state(self, slot: int) -> Path:
        """A gateway process's own folder: its segments and its copy of the routes."""
        return self.home / "gateway" / str(slot)

    def read_state(self) -> LocalState | None:
        """None when the platform was never up or was taken down."""
        try:
            return LocalState.model_validate(json.loads(self.state_file.read_text()))
        except FileNotFoundError:
            return None

    def write_state(self, state: LocalState) -> None:
        temporary = self.state_file.with_suffix(".tmp")
        temporary.write_text(json.dumps(state.wire(), indent=1))
        temporary.replace(self.state_file)


def default_home() -> Path:
    """``$SLIPWAY_HOME`` or ``~/.slipway``."""
    given = os.environ.get("SLIPWAY_HOME")
    return Path(given).expanduser().absolute() if given else Path.home() / ".slipway"
