"""Worker processes for hermetic tests, and a kind whose effects a test can count.

``WorkerProcess`` runs the product's worker. With ``effects=True`` it runs this file instead: the
same worker with the kind ``effect`` beside its own. That one writes a row for each job into a table
without any constraint, so that an effect stored twice is seen; its payload says what else happens:
``seconds`` to take, ``fail`` (so many attempts fail), ``later``, ``hopeless``, ``poison`` (its
result cannot be stored), ``kill`` (it ends its worker).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from free_ports import free_port
from gateway_process import eventually
from log_lines import check_log

from slipway_store.connect import Connection, Pool
from slipway_worker.__main__ import main
from slipway_worker.errors import Hopeless, TryLater
from slipway_worker.gateway import GatewayClient
from slipway_worker.kinds import Dead, Finished, Job, Kind
from slipway_worker.settings import Settings
from slipway_worker.worker import product_kinds

TABLES = """CREATE TABLE effects (job bigint NOT NULL, note text);
    CREATE TABLE runs (job bigint NOT NULL, tenant text NOT NULL,
        began timestamptz NOT NULL DEFAULT clock_timestamp(), ended timestamptz)"""


class Effects:
    """``Kind``; see the module."""

    name = "effect"
    rank = 0

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, job: Job) -> str:
        told = json.loads(job.payload)
        if told.get("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        began = None
        if told.get("logged"):
            began = await self._pool.fetchval(
                "INSERT INTO runs (job, tenant) VALUES ($1, $2) RETURNING began", job.id, job.tenant
            )
        if told.get("seconds"):
            await asyncio.sleep(told["seconds"])
        if began is not None:
            await self._pool.execute(
                "UPDATE runs SET ended = clock_timestamp() WHERE job = $1 AND began = $2",
                *(job.id, began),
            )
        if told.get("hopeless"):
            raise Hopeless("no", told="the asker reads this")
        if told.get("later"):
            raise TryLater("not now", after=0.1)
        if job.attempts < told.get("fail", 0):
            raise RuntimeError(f"attempt {job.attempts} fails")
        return "\0" if told.get("poison") else "done"

    async def store(self, connection: Connection, finished: Sequence[Finished]) -> None:
        await connection.execute(
            "INSERT INTO effects (job, note) SELECT * FROM unnest($1::bigint[], $2::text[])",
            [one.job.id for one in finished],
            [one.result for one in finished],
        )

    async def fail(self, connection: Connection, dead: Sequence[Dead]) -> None:
        await connection.executemany(
            "INSERT INTO effects (job, note) VALUES ($1, $2)",
            [(one.job.id, f"dead {one.told}") for one in dead],
        )


def kinds(settings: Settings, pool: Pool, gateway: GatewayClient) -> list[Kind]:
    """The product's and this one."""
    return [*product_kinds(settings, pool, gateway), Effects(pool)]


class WorkerProcess:
    """``python -m slipway_worker``. Settings are keywords: ``concurrency=4``."""

    def __init__(
        self,
        dsn: str,
        folder: Path,
        *,
        effects: bool = False,
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"worker-{self.port}.log"
        given = {"dsn": dsn, "port": self.port, "gateway_url": "http://127.0.0.1:9"}
        given |= {"heartbeat_timeout": 2, "retry_delay": 0.05, "retry_delay_limit": 1} | settings
        self._env = {f"SLIPWAY_WORKER_{k.upper()}": str(v) for k, v in given.items()}
        self._env |= environ or {}
        self._command = [__file__] if effects else ["-m", "slipway_worker"]
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> WorkerProcess:
        """Start it; does not wait."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPWAY_", "OTEL_"))}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command],
                env=env | self._env | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def ready(self) -> None:
        """Wait until it has heard PostgreSQL."""

        async def is_ready() -> bool:
            assert self.running, self.log.read_text()
            return await self.get("/readyz") is not None

        await eventually(is_ready, what="worker ready")

    async def get(self, path: str) -> str | None:
        """The body of a 200; None otherwise."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.url + path) as response,
            ):
                return await response.text() if response.status == 200 else None
        except aiohttp.ClientError:
            return None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self) -> int:
        """Its exit code."""
        process = self._process
        assert process is not None
        await eventually(lambda: process.poll() is not None, what="exit")
        check_log(self.log, service="worker")
        return int(process.returncode)

    async def stop(self) -> int:
        """SIGTERM, then its exit code."""
        if self.running:
            self.signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            if self.running:
                self.signal(signal.SIGKILL)
            await self.wait()


if __name__ == "__main__":
    sys.exit(main(kinds))
