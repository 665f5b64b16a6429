"""The processes of local mode as plain data: what runs, with which settings. Pure."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from slipway_cli.local.endpoints import Endpoints
from slipway_cli.local.layout import Layout, LocalState
from slipway_cli.local.process import ProcessPlan

GATEWAYS = 2
# An LLM replica asks Ray for 2 logical CPUs and its ingress for 1; two engines and the system.
RAY_LOGICAL_CPUS = 12


def process_plans(layout: Layout, endpoints: Endpoints, state: LocalState) -> list[ProcessPlan]:
    """In start order; stopped in reverse."""
    return [
        _ray(layout, endpoints),
        _controller(layout, endpoints, state),
        *(_gateway(layout, endpoints, state, slot) for slot in range(GATEWAYS)),
        _worker(layout, endpoints, state),
    ]


def ray_temp_dir(home: Path) -> Path:
    """Short, because Ray puts Unix sockets (107 characters at most) below it; one a home."""
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"slipway-ray-{digest}"


def _ray(layout: Layout, endpoints: Endpoints) -> ProcessPlan:
    argv = [
        sys.executable, "-m", "slipway_engine.head",
        "--dashboard-port", str(endpoints.dashboard),
        "--gcs-port", str(endpoints.gcs),
        "--temp-dir", str(ray_temp_dir(layout.home)),
        "--num-cpus", str(RAY_LOGICAL_CPUS),
        "--metrics-port", str(endpoints.engines),
    ]  # fmt: skip
    return ProcessPlan(name="ray", argv=argv, env={}, log=layout.logs / "ray.log")


def _controller(layout: Layout, endpoints: Endpoints, state: LocalState) -> ProcessPlan:
    env = {
        "SLIPWAY_OPERATOR_DSN": state.dsn,
        "SLIPWAY_OPERATOR_HOME": state.home,
        "SLIPWAY_OPERATOR_SERVE_URL": state.serve_url,
        "SLIPWAY_OPERATOR_DASHBOARD_URL": state.dashboard_url,
        "SLIPWAY_OPERATOR_HEALTH_PORT": str(endpoints.operator),
    }
    argv = [sys.executable, "-m", "slipway_operator"]
    return ProcessPlan(name="controller", argv=argv, env=env, log=layout.logs / "controller.log")


def _gateway(layout: Layout, endpoints: Endpoints, state: LocalState, slot: int) -> ProcessPlan:
    env = {
        "SLIPWAY_GATEWAY_DSN": state.dsn,
        "SLIPWAY_GATEWAY_HOST": endpoints.host,
        "SLIPWAY_GATEWAY_PORT": str(endpoints.gateway),
        "SLIPWAY_GATEWAY_OWN_PORT": str(endpoints.gateways[slot] if endpoints.gateways else 0),
        "SLIPWAY_GATEWAY_SLOT": str(slot),
        "SLIPWAY_GATEWAY_STATE_DIR": str(layout.gateway_state(slot)),
    }
    argv = [sys.executable, "-m", "slipway_gateway"]
    name = f"gateway-{slot}"
    return ProcessPlan(name=name, argv=argv, env=env, log=layout.logs / f"{name}.log")


def _worker(layout: Layout, endpoints: Endpoints, state: LocalState) -> ProcessPlan:
    env = {
        "SLIPWAY_WORKER_DSN": state.dsn,
        # From loopback no key is needed.
        "SLIPWAY_WORKER_GATEWAY_URL": state.gateway_url,
        "SLIPWAY_WORKER_PORT": str(endpoints.worker),
        "SLIPWAY_WORKER_SHUTDOWN_GRACE": "5",
    }
    argv = [sys.executable, "-m", "slipway_worker"]
    return ProcessPlan(name="worker", argv=argv, env=env, log=layout.logs / "worker.log")
