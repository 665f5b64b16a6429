"""Watch and listener: nothing lost over restarts, silence noticed, many writes told once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from postgres_server import FAST, fast_folder

from slipway_store import embedded
from slipway_store.connect import Listener, Pool, open_pool
from slipway_store.errors import UNAVAILABLE
from slipway_store.migrate import migrate
from slipway_store.objects import ObjectStore
from slipway_store.watching import ObjectKey


def key(name: str) -> ObjectKey:
    return "Model", "default", name


async def until(keys: AsyncGenerator[ObjectKey, None], wanted: set[ObjectKey]) -> None:
    """Until the watch has told every wanted key."""
    missing = set(wanted)
    async with asyncio.timeout(60):
        while missing:
            missing.discard(await anext(keys))


async def test_everything_at_the_start_then_changes(pool: Pool, dsn: str) -> None:
    store = ObjectStore(pool)
    for name in ("a", "b"):
        await store.create("Model", name, {})
    keys = store.watch(dsn)
    await until(keys, {key("a"), key("b")})
    await store.create("Model", "c", {})
    await until(keys, {key("c")})
    await store.delete("Model", "a")
    await until(keys, {key("a")})
    await keys.aclose()


async def test_many_writes_coalesce(pool: Pool, dsn: str) -> None:
    store = ObjectStore(pool)
    await store.create("Model", "a", {})
    keys = store.watch(dsn)
    await until(keys, {key("a")})
    for number in range(200):
        await store.update_spec("Model", "a", {"n": number})
    await store.create("Model", "last", {})
    told = 0
    async with asyncio.timeout(30):
        while await anext(keys) != key("last"):
            told += 1
    assert told < 200
    await keys.aclose()


async def test_a_relist_tells_everything_again(pool: Pool, dsn: str) -> None:
    store = ObjectStore(pool)
    await store.create("Model", "a", {})
    keys = store.watch(dsn, relist_seconds=0.05)
    for _ in range(3):
        await until(keys, {key("a")})
    await keys.aclose()


@pytest.fixture
def own_server() -> Iterator[Path]:
    """A server that a test may stop."""
    with tempfile.TemporaryDirectory(prefix="slipway-test-", dir=fast_folder()) as name:
        folder = Path(name)
        yield folder
        embedded.stop(folder)


async def test_changes_while_the_server_was_away_are_told(own_server: Path) -> None:
    dsn = embedded.start(own_server, settings=FAST)
    await migrate(dsn)
    pool = await open_pool(dsn)
    store = ObjectStore(pool)
    for name in ("stays", "goes"):
        await store.create("Model", name, {})
    keys = store.watch(dsn, relist_seconds=3600)
    await until(keys, {key("stays"), key("goes")})

    await asyncio.to_thread(embedded.stop, own_server)
    waiting = asyncio.create_task(anext(keys))
    await asyncio.wait([waiting], timeout=0.3)  # it notices, and goes on trying
    await asyncio.to_thread(embedded.start, own_server, settings=FAST)
    # Both before the listener is back, most likely; told in any case.
    await store.delete("Model", "goes")
    await store.create("Model", "new", {})
    first = await asyncio.wait_for(waiting, 60)
    await until(keys, {key("stays"), key("goes"), key("new")} - {first})
    await keys.aclose()
    await pool.close()


async def test_a_pool_may_be_opened_before_the_server_is_there(own_server: Path) -> None:
    embedded.start(own_server, settings=FAST)
    embedded.stop(own_server)
    pool = await open_pool(embedded.dsn(own_server / "socket"), min_size=0)
    with pytest.raises(UNAVAILABLE):
        await pool.fetchval("SELECT 1")
    await asyncio.to_thread(embedded.start, own_server, settings=FAST)
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


class FrozenProxy:
    """A socket between client and server that can stop passing bytes without closing anything."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.passing = asyncio.Event()
        self.passing.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        with tempfile.TemporaryDirectory(prefix="slipway-proxy-") as folder:
            server = await asyncio.start_unix_server(
                self._serve, str(Path(folder) / ".s.PGSQL.5432")
            )
            yield folder
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_unix_connection(str(self._target))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back))
                group.create_task(self._pass(there, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, back):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self.passing.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


async def test_a_connection_that_died_in_silence_is_noticed(dsn: str, pool: Pool) -> None:
    sockets, database = dsn.partition("host=")[2], dsn.partition("@/")[2].partition("?")[0]
    proxy = FrozenProxy(Path(sockets) / ".s.PGSQL.5432")
    silent, connected = asyncio.Event(), asyncio.Event()
    told: asyncio.Queue[str] = asyncio.Queue()
    async with (
        proxy.listening() as folder,
        Listener(
            f"postgresql://postgres@/{database}?host={folder}",
            ["c"],
            lambda _, payload: told.put_nowait(payload),
            silent.set,
            on_connect=connected.set,
            keepalive=0.1,
            answer_within=0.3,
        ) as listener,
    ):
        await asyncio.wait_for(connected.wait(), 30)
        await pool.execute("SELECT pg_notify('c', 'one')")
        assert await asyncio.wait_for(told.get(), 30) == "one"
        connected.clear()
        proxy.passing.clear()
        await asyncio.wait_for(silent.wait(), 30)
        heard = listener.last_heard
        proxy.passing.set()
        await asyncio.wait_for(connected.wait(), 30)
        assert listener.last_heard > heard
        await pool.execute("SELECT pg_notify('c', 'two')")
        assert await asyncio.wait_for(told.get(), 30) == "two"


async def test_a_listener_waits_for_a_database_that_is_not_there_yet(dsn: str) -> None:
    connected = asyncio.Event()
    missing = dsn.replace("@/", "@/nowhere_")
    async with Listener(missing, ["c"], lambda *_: None, on_connect=connected.set) as listener:
        await asyncio.wait([asyncio.create_task(connected.wait())], timeout=0.3)
        assert not connected.is_set()
        assert listener.last_heard == float("-inf")
        await listener.stop()
        await listener.stop()
