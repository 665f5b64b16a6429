"""Gateway processes for hermetic tests: started, asked, signalled and always ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from free_ports import free_port
from log_lines import check_log

DEADLINE = 120.0


async def eventually(
    condition: Callable[[], Any], *, seconds: float = DEADLINE, what: str = "it"
) -> Any:
    """Wait until ``condition()`` (may be async) gives something true, and return that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        await asyncio.sleep(0.02)


async def fresh_minute(pool: Any, *, seconds: float) -> None:
    """Wait until the current minute has ``seconds`` left, by PostgreSQL's clock.

    Limits of a minute begin anew with each: what is counted in one must not see its end.
    """

    async def left() -> bool:
        clock = await pool.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
        return bool(clock % 60 < 60 - seconds)

    await eventually(left, what="a minute with time left")


class GatewayProcess:
    """``python -m slipway_gateway`` on 127.0.0.1. Settings are keywords: ``body_limit=2000``."""

    def __init__(
        self,
        dsn: str,
        state_dir: Path,
        *,
        port: int = 0,
        slot: str = "0",
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self._environ = environ or {}
        self.port = port or free_port()
        self.slot = slot
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = state_dir / f"gateway-{slot}.log"
        self._env = {"DSN": dsn, "PORT": self.port, "SLOT": slot, "STATE_DIR": state_dir / slot}
        self._env |= {name.upper(): value for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def spawn(self) -> GatewayProcess:
        """Start it; does not wait."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPWAY_", "OTEL_"))}
        if compiled := os.environ.get("SLIPWAY_COMPILED"):
            env["PYTHONPATH"] = compiled
        env |= self._environ
        env |= {f"SLIPWAY_GATEWAY_{name}": str(value) for name, value in self._env.items()}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "slipway_gateway"], env=env, stderr=log, stdout=log
            )
        return self

    async def ready(self) -> dict[str, Any]:
        """Wait until this process (not a sibling on the port) is ready."""

        async def is_ready() -> dict[str, Any] | None:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"the gateway ended: {self.log.read_text()}")
            body = await self.state()
            return body if body and body["ready"] and body["gateway"] == self.slot else None

        return await eventually(is_ready, what="gateway ready")

    async def state(self) -> dict[str, Any] | None:
        """``/ready`` over a fresh connection; None while nobody listens."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.url + "/ready") as response,
            ):
                return await response.json()
        except (aiohttp.ClientError, ConnectionError):
            return None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self, seconds: float = DEADLINE) -> int:
        """Its exit code."""
        process = self._process
        assert process is not None
        await eventually(lambda: process.poll() is not None, seconds=seconds, what="exit")
        check_log(self.log, service="gateway")
        return int(process.returncode)

    async def stop(self) -> int:
        """SIGTERM, then its exit code."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            if self._process.poll() is None:
                self.signal(signal.SIGKILL)
            await self.wait()
