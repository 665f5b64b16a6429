"""The command line and environment of a local Ray head."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slipway_engine.errors import HeadError
from slipway_engine.head import TEMP_DIR_LIMIT, HeadOptions, ray_head_command


def command(environ: dict[str, str] | None = None, **options: object) -> tuple[list[str], dict]:
    merged = {"temp_dir": Path("/tmp/ray-a"), "client_port": 10001, **options}
    argv, env = ray_head_command(HeadOptions(**merged), environ or {})
    return list(argv), env


def test_every_port_is_given_or_free() -> None:
    argv, _ = command(dashboard_port=9001, gcs_port=9002, client_port=9003)
    assert argv[:6] == [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    ports = {a.split("=")[0]: a.split("=")[1] for a in argv if "port=" in a}
    assert ports.pop("--dashboard-port") == "9001"
    assert ports.pop("--port") == "9002"
    assert ports.pop("--ray-client-server-port") == "9003"
    assert set(ports) == {
        "--min-worker-port",
        "--max-worker-port",
        "--dashboard-agent-listen-port",
        "--dashboard-agent-grpc-port",
        "--runtime-env-agent-port",
        "--metrics-export-port",
        "--node-manager-port",
        "--object-manager-port",
    }
    assert set(ports.values()) == {"0"}


def test_everything_is_loopback_and_private() -> None:
    argv, env = command()
    assert "--node-ip-address=127.0.0.1" in argv
    assert "--dashboard-host=127.0.0.1" in argv
    assert "--disable-usage-stats" in argv
    # Without this Ray replaces 127.0.0.1 by the machine's address.
    assert env["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert env["RAY_AUTH_MODE"] == "disabled"
    assert env["AUTOSCALER_METRIC_PORT"] == env["DASHBOARD_METRIC_PORT"] == "0"


def test_the_callers_environment_is_kept_but_for_ours() -> None:
    _, env = command({"PATH": "/bin", "RAY_AUTH_MODE": "token"}, niceness=3)
    assert env["PATH"] == "/bin"
    assert env["RAY_AUTH_MODE"] == "disabled"
    assert env["RAY_worker_niceness"] == "3"


def test_a_wish_for_no_bytecode_beside_sources_becomes_a_cache() -> None:
    _, env = command({"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/home/a"})
    assert "PYTHONDONTWRITEBYTECODE" not in env
    assert env["PYTHONPYCACHEPREFIX"] == "/home/a/.cache/slipway/bytecode"
    _, env = command({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/x"})
    assert env["PYTHONPYCACHEPREFIX"] == "/x"
    _, env = command({"HOME": "/home/a"})
    assert "PYTHONPYCACHEPREFIX" not in env


def test_a_long_temp_dir_is_refused_with_the_remedy() -> None:
    with pytest.raises(HeadError, match="give a short one"):
        command(temp_dir=Path("/" + "x" * TEMP_DIR_LIMIT))
