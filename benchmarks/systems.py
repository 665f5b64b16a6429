"""The systems that are measured, each as a process of its own, and the CPU time they use.

CPU time is what the kernel counts in /proc, for the process, its threads and its children: in
nanoseconds (``schedstat``), or in its ticks of 10 ms where that says more, because a thread has
ended. What a process prints goes to a file that nobody sees unless it does not become ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMG = ROOT / ".venv-bench" / "bin" / "smg"
LITELLM = ROOT / ".venv-bench" / "bin" / "litellm"
LITELLM_CONFIG = """model_list:
  - model_name: demo
    litellm_params: {{model: openai/demo, api_base: {url}/v1, api_key: none}}
"""
VLLM_ROUTER = ROOT / ".venv-bench" / "bin" / "vllm-router"
COMPILED = ROOT / ".compiled" / ".ready"
DEBIAN = Path("/usr/bin/python3.11")
LITELLM_SECONDS = 900
TICKS = os.sysconf("SC_CLK_TCK")


class System:
    """A running process. ``cpu_seconds`` includes its threads and children."""

    def __init__(self, name: str, argv: list[str], *, port: int, core: int | None, **env: str):
        self.name = name
        self.port = port
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self.process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            cwd=ROOT,
            stdout=self._said,
            stderr=self._said,
            preexec_fn=None if core is None else (lambda: os.sched_setaffinity(0, {core})),
        )

    def wait_ready(self, path: str, seconds: float = 60) -> None:
        """Until ``path`` answers 200. Raises RuntimeError, and the process is gone."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                ended = f"{self.name} ended with {self.process.returncode}"
                raise RuntimeError(f"{ended}; it said: {self.said()}")
            with contextlib.suppress(OSError):
                url = f"http://127.0.0.1:{self.port}{path}"
                if urllib.request.urlopen(url, timeout=2).status == 200:
                    return
            time.sleep(0.02)
        said = self.said()
        self.stop()
        raise RuntimeError(f"{self.name} was not ready within {seconds} s; it said: {said}")

    def said(self) -> str:
        """The end of what it printed."""
        size = os.fstat(self._said.fileno()).st_size
        return os.pread(self._said.fileno(), 1000, max(0, size - 1000)).decode(errors="replace")

    def pin(self, core: int) -> None:
        """From now on it has that core, with all its threads and children."""
        for pid in _family(self.process.pid):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(thread.name), {core})

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and what it started."""
        return sum(_cpu_seconds(pid) for pid in _family(self.process.pid))

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def engine(core: int | None, *, first_byte_delay: float = 0, slots: int = 0) -> System:
    """The fake engine: 1 KB answers, streams of 100 chunks."""
    port = free_port()
    script = str(ROOT / "tests" / "support" / "fake_engine.py")
    options = ["--port", str(port), "--chunks", "100", "--answer-bytes", "500"]
    options += ["--first-byte-delay", str(first_byte_delay), "--slots", str(slots)]
    system = System("engine", [sys.executable, script, *options], port=port, core=core)
    system.wait_ready("/health")
    return system


def quick_engine(core: int | None) -> System:
    """The same, with whole answers from memory: it leaves no relay waiting."""
    port = free_port()
    script = str(ROOT / "benchmarks" / "quick_engine.py")
    system = System("engine", [sys.executable, script, "--port", str(port)], port=port, core=core)
    system.wait_ready("/health")
    return system


def fastapi_httpx(engine_url: str, core: int | None) -> System:
    """The peer of the bar."""
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "benchmarks.peers.fastapi_httpx:app"]
    argv += ["--port", str(port), "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    system = System("fastapi_httpx", argv, port=port, core=core, ENGINE_URL=engine_url)
    system.wait_ready("/openapi.json")
    return system


# One engine leaves nothing to choose: a router is spared its own way of choosing, and no more.
ROUND_ROBIN = ("--policy", "round_robin")
# What smg does beside relaying is switched off, too.
STRIPPED = (
    *(*ROUND_ROBIN, "--log-level", "error", "--disable-circuit-breaker", "--disable-retries"),
    "--disable-load-monitoring",
)


def vllm_router(engine_url: str, core: int | None, *options: str) -> System:
    """vllm-router in the peers' environment; RuntimeError when that is not there, as for all.

    Without ``options`` as it starts by itself.
    """
    _there(VLLM_ROUTER)
    return _router("vllm_router", [str(VLLM_ROUTER)], engine_url, core, options)


def smg(engine_url: str, core: int | None, *options: str) -> System:
    """smg, likewise."""
    _there(SMG)
    return _router("smg", [str(SMG), "launch"], engine_url, core, options)


def _router(
    name: str, command: list[str], engine_url: str, core: int | None, options: tuple[str, ...]
) -> System:
    port = free_port()
    argv = [*command, "--host", "127.0.0.1", "--port", str(port), "--worker-urls", engine_url]
    argv += ["--prometheus-port", str(free_port()), *options]
    names = {(): f"{name}_defaults", STRIPPED: f"{name}_stripped"}
    system = System(names.get(options, name), argv, port=port, core=core)
    system.wait_ready("/health")
    return system


def litellm(engine_url: str, folder: Path, core: int | None) -> System:
    """LiteLLM's proxy with one worker, without keys and without its database."""
    _there(LITELLM)
    config = folder / "litellm.yaml"
    config.write_text(LITELLM_CONFIG.format(url=engine_url))
    port = free_port()
    argv = [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--num_workers", "1"]
    # Else it waits for a price list from the network, and wants a key of its own.
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    # Its imports alone are a minute of CPU: it has the whole machine until it is ready.
    system = System("litellm", argv, port=port, core=None, **env)
    system.wait_ready("/health/liveliness", LITELLM_SECONDS)
    if core is not None:
        system.pin(core)
    return system


def gateway(dsn: str, state_dir: Path, core: int | None, **settings: object) -> System:
    """Ours, keys required; as in its image, where ``make`` could compile it: compiled, and run by
    Debian's own interpreter, which is built with profiles (a third faster than one that is not)."""
    port = free_port()
    env = {"DSN": dsn, "PORT": str(port), "STATE_DIR": str(state_dir), "KEYLESS_LOOPBACK": "false"}
    env |= {name.upper(): str(value) for name, value in settings.items()}
    python = sys.executable
    prefixed = {f"SLIPWAY_GATEWAY_{name}": value for name, value in env.items()}
    if COMPILED.is_file():
        folders = [str(COMPILED.parent)]
        if DEBIAN.is_file() and sys.version_info[:2] == (3, 11):
            python = str(DEBIAN)
            folders.append(sysconfig.get_path("purelib"))
        prefixed["PYTHONPATH"] = os.pathsep.join(folders)
    argv = [python, "-m", "slipway_gateway"]
    system = System("slipway", argv, port=port, core=core, **prefixed)
    system.wait_ready("/ready")
    return system


async def ready_with(port: int, message: bytes) -> None:
    """Until the gateway answers this request with 200: its routes and keys have arrived."""
    for _ in range(300):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(message)
        head = await reader.readuntil(b"\r\n")
        writer.transport.abort()
        if b" 200 " in head:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("it does not answer with the benchmark's key and route")


def _there(program: Path) -> None:
    if not program.exists():
        raise RuntimeError(f"{program} is not there: make {program.parents[1].name}/.ready")


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            yield from _family(int(child))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = (int(fields[11]) + int(fields[12])) / TICKS
    ran = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            ran += int((thread / "schedstat").read_text().split()[0])
    return max(ran / 1e9, ticks)
