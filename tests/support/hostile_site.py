"""A gateway in front of scripted engines, for campaigns that drive it from a loop of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway_process import GatewayProcess, eventually

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store.connect import open_pool
from slipway_store.routes import write_route

# Short, so that a campaign ends; long enough that a busy machine does not look like an attack.
SHORT = {
    "header_timeout": 2, "body_timeout": 2, "keep_alive": 3, "client_timeout": 4,
    "connect_timeout": 2, "first_byte_timeout": 3, "idle_timeout": 3, "total_timeout": 6,
    "answer_limit": 4 * 1024 * 1024, "body_limit": 1024 * 1024,
}  # fmt: skip


class Site:
    """One process and its database; ``own_dsn``: how the process reaches it, if not as we do."""

    def __init__(
        self, dsn: str, folder: Path, *, slot: str, own_dsn: str = "", **settings: object
    ) -> None:
        self.dsn = dsn
        self.gateway = GatewayProcess(own_dsn or dsn, folder, slot=slot, **(SHORT | settings))

    @property
    def port(self) -> int:
        return self.gateway.port

    async def start(self) -> None:
        self.gateway.spawn()
        await self.gateway.ready()

    async def publish(self, models: Mapping[str, str], **fields: object) -> None:
        """Models and the addresses of their only version; waits until all are applied."""
        pool = await open_pool(self.dsn)
        try:
            revision = 0
            for model, url in models.items():
                backend = BackendRoute(version="v1", weight=100, url=url)
                given: dict[str, object] = {"model": model, "salt": "s", "backends": (backend,)}
                revision = await write_route(pool, ModelRoute(**(given | fields)))
        finally:
            await pool.close()

        async def applied() -> bool:
            state = await self.gateway.state()
            return bool(state) and state["routesRevision"] >= revision

        await eventually(applied, what=f"revision {revision}")

    async def rows(
        self, ids: list[str], *, seconds: float = 60
    ) -> dict[str, list[dict[str, object]]]:
        """The log rows of these requests, once each has at least one."""
        pool = await open_pool(self.dsn)

        async def arrived() -> dict[str, list[Any]] | None:
            found = await pool.fetch(
                """SELECT * FROM request_logs WHERE request_id = ANY($1)
                ORDER BY request_id, attempt""",
                ids,
            )
            rows: dict[str, list[Any]] = {}
            for row in found:
                rows.setdefault(row["request_id"], []).append(dict(row))
            return rows if len(rows) == len(set(ids)) else None

        try:
            return await eventually(arrived, seconds=seconds, what="a row of each request")
        finally:
            await pool.close()

    def memory(self) -> tuple[int, int]:
        """Bytes of RSS: (now, the most ever)."""
        text = Path(f"/proc/{self.gateway.pid}/status").read_text()
        kib = {
            line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if "kB" in line
        }
        return kib["VmRSS"] * 1024, kib["VmHWM"] * 1024

    async def stop(self) -> None:
        await self.gateway.kill()


def numbered(prefix: str, number: int) -> bytes:
    """An id of eight characters."""
    return f"{prefix}{number:0{8 - len(prefix)}d}".encode()


async def bounded(work, limit: int):
    """Run the coroutines, at most ``limit`` at once; their results in order."""
    gate = asyncio.Semaphore(limit)

    async def one(item):
        async with gate:
            return await item

    return await asyncio.gather(*(one(item) for item in work))
