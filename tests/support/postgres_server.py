"""An embedded PostgreSQL for one test session, and fresh databases in it.

The product's own launcher starts it (with fsync off: a power cut loses a test, nothing more). A
database for a test is a copy of a migrated template. Administration goes through ``psql``, so that
no event loop of a test is touched.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from slipway_store import embedded
from slipway_store.embedded_host import host_for
from slipway_store.migrate import migrate

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
TEMPLATE = "slipway_template"
MEMORY_BYTES = 2 << 30


class PostgresServer:
    """Started by ``__enter__``, stopped and removed by ``__exit__``."""

    def __init__(self) -> None:
        # Not pytest's tmp_path: its parents are closed to the user that root runs PostgreSQL as.
        self.folder = Path(tempfile.mkdtemp(prefix="slipway-test-", dir=fast_folder()))
        self._numbers = itertools.count(1)

    def __enter__(self) -> PostgresServer:
        try:
            embedded.start(self.folder, settings=FAST)
            self._psql(f"CREATE DATABASE {TEMPLATE}")
            in_thread(lambda: asyncio.run(migrate(self.dsn(TEMPLATE))))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        embedded.stop(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, database: str) -> str:
        return embedded.dsn(self.folder / "socket", database)

    def create(self, *, migrated: bool = True) -> str:
        """A fresh database; returns its name."""
        name = f"test_{next(self._numbers)}"
        template = TEMPLATE if migrated else "template0"
        # Copying files beats logging every page where nothing is synced.
        self._psql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Drop it, whoever is still connected."""
        self._psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _psql(self, sql: str) -> None:
        psql = host_for(self.folder).programs / "psql"
        command = [str(psql), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn("postgres")]
        subprocess.run([*command, "-c", sql], check=True, capture_output=True, text=True)


def fast_folder() -> str | None:
    """Memory where there is room: a database a test is some 300 files. Else the usual /tmp."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_BYTES
    return str(memory) if roomy and os.access(memory, os.W_OK) else None


def in_thread(work: object) -> None:
    """Run ``work()`` in a thread of its own, away from any running event loop."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
