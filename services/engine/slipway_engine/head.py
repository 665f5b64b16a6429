"""One local Ray head as one child process: ``python -m slipway_engine.head --temp-dir DIR``.

Execs ``ray start --head --block``, so that whoever started this process owns the whole head by one
pid: SIGTERM ends it with all its workers. Every port is given or picked by Ray, everything listens
on loopback only, and the head neither touches nor finds other Rays on the machine. Knows nothing
of applications: those come through the dashboard's REST interface.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway_engine.errors import HeadError

LOOPBACK = "127.0.0.1"
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
# Unix socket paths end at 107 bytes; Ray appends /session_<date>_<pid>/sockets/plasma_store.
TEMP_DIR_LIMIT = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOptions:
    """``cpus`` is logical: an engine asks for 2, its ingress for 1.

    ``client_port`` cannot be 0 and its server cannot be switched off, so it is picked by the
    caller. ``niceness`` is that of the engines' processes; Ray's own default of 15 starves them
    beside any other load.
    """

    temp_dir: Path
    client_port: int
    dashboard_port: int = 8265
    gcs_port: int = 6379
    metrics_port: int = 0
    cpus: int = 12
    gpus: int = 0
    object_store_bytes: int = 200_000_000
    niceness: int = 5


def ray_head_command(
    options: HeadOptions, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """``(argv, env)`` of the head. Raises HeadError when the socket paths would be too long."""
    if len(os.fsencode(options.temp_dir)) > TEMP_DIR_LIMIT:
        raise HeadError(
            f"--temp-dir {options.temp_dir} is longer than {TEMP_DIR_LIMIT} bytes, too long for "
            "Ray's sockets; give a short one such as /tmp/slipway-ray"
        )
    argv = (
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        f"--node-ip-address={LOOPBACK}",
        f"--port={options.gcs_port}",
        f"--dashboard-host={LOOPBACK}",
        f"--dashboard-port={options.dashboard_port}",
        f"--ray-client-server-port={options.client_port}",
        # Ray's own default for workers is 10002 to 19999, which two heads would share.
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--dashboard-agent-listen-port=0",
        "--dashboard-agent-grpc-port=0",
        "--runtime-env-agent-port=0",
        f"--metrics-export-port={options.metrics_port}",
        "--node-manager-port=0",
        "--object-manager-port=0",
        f"--num-cpus={options.cpus}",
        f"--num-gpus={options.gpus}",
        f"--object-store-memory={options.object_store_bytes}",
        f"--temp-dir={options.temp_dir}",
        "--include-log-monitor=false",
        "--disable-usage-stats",
    )
    inherited = {key: value for key, value in environ.items() if key != NO_BYTECODE}
    return argv, {**inherited, **_environment(options), **_bytecode(environ)}


def _environment(options: HeadOptions) -> dict[str, str]:
    return {
        # Set in every process or in none; everything listens on loopback, so no token is needed.
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray replaces 127.0.0.1 by the machine's address, and its GCS, raylet and workers then
        # listen on every interface, unless it believes that it may not form clusters (as on a Mac).
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # SIGTERM would otherwise wait up to 30 s for Serve to drain; draining is the platform's.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        # Fixed ports of metrics that nobody reads here, on which a second head would stumble.
        "AUTOSCALER_METRIC_PORT": "0",
        "DASHBOARD_METRIC_PORT": "0",
        "RAY_worker_niceness": str(options.niceness),
        # Idle workers for 12 logical CPUs would be 12 processes on a machine of two cores.
        "RAY_prestart_worker_first_driver": "0",
        # vLLM's engine core is a child of the replica: it must not outlive a killed replica.
        "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "1",
    }


def _bytecode(environ: Mapping[str, str]) -> dict[str, str]:
    """Compiled modules in a cache of our own, where they may not lie beside their sources.

    Each of an engine's processes imports some 5,000 modules: 19 s from source, 8 s compiled.
    """
    if NO_BYTECODE not in environ or "PYTHONPYCACHEPREFIX" in environ:
        return {}
    home = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/tmp")) / ".cache")
    return {"PYTHONPYCACHEPREFIX": str(home / "slipway" / "bytecode")}


def _options(argv: Sequence[str]) -> HeadOptions:
    parser = argparse.ArgumentParser(prog="python -m slipway_engine.head", description=__doc__)
    parser.add_argument("--temp-dir", type=Path, required=True, help="short folder for sockets")
    parser.add_argument("--dashboard-port", type=int, default=8265)
    parser.add_argument("--gcs-port", type=int, default=6379)
    parser.add_argument("--client-port", type=int, default=0, help="Ray Client's; 0: any free")
    parser.add_argument("--metrics-port", type=int, default=0, help="Prometheus'; 0: any free")
    parser.add_argument("--num-cpus", type=int, default=12, help="logical, not cores")
    parser.add_argument("--num-gpus", type=int, default=0)
    parser.add_argument("--niceness", type=int, default=5)
    values = parser.parse_args(argv)
    return HeadOptions(
        temp_dir=values.temp_dir.absolute(),
        client_port=values.client_port or _free_port(),
        dashboard_port=values.dashboard_port,
        gcs_port=values.gcs_port,
        metrics_port=values.metrics_port,
        cpus=values.num_cpus,
        gpus=values.num_gpus,
        niceness=values.niceness,
    )


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def main(argv: Sequence[str]) -> None:
    """Replace this process by the head; exits 2 with the reason when it cannot be started."""
    try:
        command, environment = ray_head_command(_options(argv), os.environ)
    except HeadError as error:
        sys.exit(f"slipway_engine.head: {error}")
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
