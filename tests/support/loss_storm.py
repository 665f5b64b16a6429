"""A storm over two gateway processes on one port: load, kills, ends, and a database that fails.

``Storm`` counts every answer that a client saw to its last byte; ``Ledger`` compares them with the
log. Nothing here knows the gateway's insides: signals, HTTP and SQL only.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from free_ports import free_port
from gateway_process import GatewayProcess, eventually
from postgres_server import FAST, PostgresServer

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store import embedded
from slipway_store.connect import open_pool
from slipway_store.embedded_host import server_processes
from slipway_store.routes import write_route

MODEL = "storm"
SLOTS = ("a", "b")
CLIENTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """When the storm may end: all of these have happened."""

    answers: int
    kills: int
    ends: int
    faults: int


class Storm:
    """``await Storm(...).run(size)``; then ``answered``: request ids whose answer was whole."""

    def __init__(self, server: PostgresServer, database: str, folder: Path, engine: str) -> None:
        self.dsn = server.dsn(database)
        self.answered: set[str] = set()
        self.refused: Counter[int] = Counter()
        self.broken = 0
        self.done: Counter[str] = Counter()
        self.exits: list[tuple[str, int]] = []
        self.processes: dict[str, GatewayProcess] = {}
        self._server = server
        self._database = database
        self._folder = folder
        self._engine = engine
        self._port = free_port()
        self._random = random.Random(5)
        self._over = False

    async def run(self, size: Size, *, seconds: float) -> None:
        """Until ``size`` is reached; both processes are up and ready afterwards."""
        await self._publish()
        await asyncio.gather(*(self._first(slot) for slot in SLOTS))
        work = [self._client(number) for number in range(CLIENTS)]
        work += [self._life(slot, size) for slot in SLOTS]
        work += [self._database_fails(size)]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await eventually(lambda: self._enough(size, tasks), seconds=seconds, what=f"{size}")
        finally:
            self._over = True
            await asyncio.gather(*tasks)

    async def stop(self) -> None:
        for process in self.processes.values():
            await process.kill()

    def _enough(self, size: Size, tasks: list[asyncio.Task[None]]) -> bool:
        for task in tasks:
            if task.done():
                task.result()
        counts = (self.done["kill"], self.done["end"], self.done["fault"], len(self.answered))
        return all(
            count >= wanted
            for count, wanted in zip(
                counts, (size.kills, size.ends, size.faults, size.answers), strict=True
            )
        )

    async def _publish(self) -> None:
        pool = await open_pool(self.dsn)
        backend = BackendRoute(version="v1", weight=100, url=self._engine)
        await write_route(pool, ModelRoute(model=MODEL, salt="s", backends=(backend,)))
        await pool.close()

    # -- clients -------------------------------------------------------------------------------

    async def _client(self, client: int) -> None:
        numbers = itertools.count()
        while not self._over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            try:
                while not self._over and await self._call(
                    reader, writer, f"s{client}-{next(numbers)}"
                ):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError):
                self.broken += 1
            finally:
                writer.transport.abort()

    async def _call(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request_id: str
    ) -> bool:
        """One call; whether the connection goes on."""
        stream = hash(request_id) % 3 == 0
        body = json.dumps(
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": request_id}],
                "stream": stream,
            }
        ).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-id: %b\r\n"
            b"content-length: %d\r\n\r\n%b" % (request_id.encode(), len(body), body)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"content-length: ")
        if found:
            answer = await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        else:
            answer = await reader.readuntil(b"\r\n0\r\n\r\n")
        status = int(head[9:12])
        if status == 200 and (not stream or b"[DONE]" in answer):
            self.answered.add(request_id)
        else:
            self.refused[status] += 1
            await asyncio.sleep(0.05)
        return b"connection: close" not in head

    # -- processes -----------------------------------------------------------------------------

    def _spawn(self, slot: str) -> GatewayProcess:
        process = GatewayProcess(self.dsn, self._folder, port=self._port, slot=slot)
        self.processes[slot] = process.spawn()
        return process

    async def _first(self, slot: str) -> None:
        """Once ready, a slot has its copy of the routes for the starts to come."""
        await self._spawn(slot).ready()

    async def _life(self, slot: str, size: Size) -> None:
        """A slot's processes, one after another, until enough have died; the last one lives."""
        process = self.processes[slot]
        while True:
            # Now and then it dies before it is ready.
            early = not self._over and self._random.random() < 0.1
            if not early:
                await process.ready()
            if self._over:
                return
            await self._sleep(self._random.uniform(0.0, 2.5))
            if self._over:
                await process.ready()
                return
            killed = self.done["kill"] * size.ends <= self.done["end"] * size.kills
            process.signal(signal.SIGKILL if killed else signal.SIGTERM)
            how = "early" if early else "kill" if killed else "end"
            self.exits.append((how, await process.wait()))
            self.done["kill" if killed else "end"] += 1
            process = self._spawn(slot)

    # -- the database --------------------------------------------------------------------------

    async def _database_fails(self, size: Size) -> None:
        kinds: tuple[Callable[[], Awaitable[None]], ...] = (
            *(self._terminate, self._restart, self._freeze, self._read_only),
        )
        for fail in itertools.cycle(kinds):
            await self._sleep(self._random.uniform(1.0, 5.0))
            if self._over:
                return
            await fail()
            self.done["fault"] += 1
            self.done[fail.__name__.strip("_")] += 1

    async def _terminate(self) -> None:
        await self._sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            f"AND datname = '{self._database}'"
        )

    async def _restart(self) -> None:
        folder = self._server.folder
        await asyncio.to_thread(embedded.stop, folder)
        await self._sleep(self._random.uniform(0.0, 1.5))
        await asyncio.to_thread(lambda: embedded.start(folder, settings=FAST))

    async def _freeze(self) -> None:
        pids = server_processes(self._server.folder / "data")
        try:
            self._signal_all(pids, signal.SIGSTOP)
            await self._sleep(self._random.uniform(0.5, 2.0))
        finally:
            self._signal_all(pids, signal.SIGCONT)

    async def _read_only(self) -> None:
        alter = f"ALTER DATABASE {self._database} SET default_transaction_read_only = "
        await self._sql(alter + "on")
        await self._terminate()
        await self._sleep(self._random.uniform(0.5, 2.0))
        await self._sql(alter + "off")
        await self._terminate()

    async def _sql(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server.dsn("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _signal_all(self, pids: list[int], number: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _sleep(self, seconds: float) -> None:
        """Until then, or until it is over."""
        end = asyncio.get_running_loop().time() + seconds
        while not self._over and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The log against what clients saw."""

    missing: list[str]
    doubled: list[str]
    rows: int


async def ledger(storm: Storm, *, seconds: float) -> Ledger:
    """Waits until nothing is missing, at most ``seconds``."""
    connection = await asyncpg.connect(storm.dsn)
    end = asyncio.get_running_loop().time() + seconds
    try:
        while True:
            found = await connection.fetch(
                "SELECT request_id, attempt, count(*) AS n, bool_or(status = 200) AS good "
                "FROM request_logs GROUP BY 1, 2"
            )
            good = Counter(row["request_id"] for row in found if row["good"])
            missing = sorted(storm.answered - good.keys())
            if not missing or asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.3)
        doubled = [row["request_id"] for row in found if row["n"] > 1]
        doubled += [request_id for request_id, count in good.items() if count > 1]
        return Ledger(missing=missing, doubled=doubled, rows=sum(row["n"] for row in found))
    finally:
        await connection.close()
