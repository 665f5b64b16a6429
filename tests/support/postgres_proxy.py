"""A door between a process and PostgreSQL that a test can shut or freeze.

Listens on a Unix socket with PostgreSQL's own name, so a dsn needs only another folder. ``shut``:
connections are refused and cut, as when the server is down. ``freeze``: they stay open and nothing
passes, as when it is slow or the network is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


class PostgresProxy:
    """``async with PostgresProxy(dsn) as proxy: proxy.dsn``."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        query = dict(parse_qsl(parts.query))
        self._folder = Path(tempfile.mkdtemp(prefix="pgp-"))
        self._name = f".s.PGSQL.{query.get('port', '5432')}"
        self._target = str(Path(query["host"]) / self._name)
        query["host"] = str(self._folder)
        self.dsn = urlunsplit(parts._replace(query=urlencode(query)))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()

    async def __aenter__(self) -> PostgresProxy:
        await self.restore()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.shut()
        # What was accepted in this turn has a task that has not begun.
        await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def shut(self) -> None:
        """Down: cut what is open, refuse what comes."""
        if self._server is not None:
            self._server.close()
            self._server = None
        (self._folder / self._name).unlink(missing_ok=True)
        for writer in tuple(self._writers):
            writer.transport.abort()

    def freeze(self) -> None:
        """Slow without end: nothing passes in either direction."""
        self._open.clear()

    async def restore(self) -> None:
        """Open again."""
        self._open.set()
        if self._server is None:
            path = self._folder / self._name
            self._server = await asyncio.start_unix_server(self._serve, path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        sides = {writer}
        try:
            back_reader, back_writer = await asyncio.open_unix_connection(self._target)
            sides.add(back_writer)
            self._writers |= sides
            await asyncio.gather(self._pump(reader, back_writer), self._pump(back_reader, writer))
        finally:
            # Also where it was cancelled before it had reached PostgreSQL: a transport that is left
            # open is a warning in whatever test runs when it is collected.
            self._writers -= sides
            for side in sides:
                side.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
