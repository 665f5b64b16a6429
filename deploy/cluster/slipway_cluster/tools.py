"""Gets the tool table's binaries into the cache: only what is missing, built from Go modules or
taken from the distribution's packages.

A binary appears under its final name only when whole (built beside it, then renamed), and a lock
for each throw-away module keeps two callers from building the same thing: the second waits and
finds it built.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from . import packaged
from .cache import Folders
from .errors import ClusterError, MissingToolError
from .versions import TOOLS, Tool, chosen

Say = Callable[[str], None]
GO_RELEASE = (1, 26)


def path_of(folders: Folders, name: str) -> Path:
    """Where the tool is or would be."""
    return folders.binaries / TOOLS[name].key


def missing(folders: Folders, names: Iterable[str]) -> list[Tool]:
    """What of these tools or sets is not built."""
    return [tool for tool in _chosen(names) if not (folders.binaries / tool.key).exists()]


def require(folders: Folders, names: Iterable[str]) -> None:
    """Raise MissingToolError, naming the command that builds what is missing."""
    absent = [tool.name for tool in missing(folders, names)]
    if absent:
        raise MissingToolError(
            f"not built: {', '.join(absent)}; run: python3 deploy/cluster tools {' '.join(absent)}"
        )


def build(folders: Folders, names: Iterable[str], *, say: Say) -> None:
    """Get or build what is missing; minutes when cold, nothing when there."""
    for tool in missing(folders, names):
        with _locked(folders.build / f"{tool.group}.lock"):
            target = folders.binaries / tool.key
            if target.exists():
                continue  # whoever held the lock built it
            if tool.debian and packaged.obtain(tool.debian, target):
                say(f"got {tool.key} of the package {tool.debian.name}")
                continue
            go = require_go()
            started = monotonic()
            say(f"building {tool.key} …")
            _build(go, folders, tool)
            say(f"built {tool.key} in {monotonic() - started:.0f} s")


def kubectl(folders: Folders) -> str:
    """The machine's own, else ours."""
    return shutil.which("kubectl") or str(path_of(folders, "kubectl"))


def compile_file(source: Path, target: Path) -> None:
    """One Go file without requirements into one static binary."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _run(
        [require_go(), "build", "-trimpath", "-ldflags", "-s -w", "-o", str(target), str(source)],
        source.parent,
    )


def module_folder(folders: Folders, name: str, module: str) -> Path:
    """Where Go keeps the unpacked sources of a tool's module; fetched again where they are gone."""
    tool = TOOLS[name]
    home = folders.build / tool.group
    go = require_go()
    _prepare(go, home, tool)
    said = _run([go, "mod", "download", "-json", f"{module}@{tool.version}"], home)
    return Path(json.loads(said)["Dir"])


def _build(go: str, folders: Folders, tool: Tool) -> None:
    module = folders.build / tool.group
    _prepare(go, module, tool)
    folders.binaries.mkdir(parents=True, exist_ok=True)
    partial = folders.binaries / f".{tool.key}.{os.getpid()}"
    try:
        flags = ["-trimpath", "-ldflags", tool.linker_flags, "-o", str(partial)]
        _run([go, "build", *flags, tool.package], module)
        partial.rename(folders.binaries / tool.key)
    finally:
        partial.unlink(missing_ok=True)


def _prepare(go: str, module: Path, tool: Tool) -> None:
    """A throw-away module that requires the tool; marked only when its requirements resolved."""
    if (module / f".{tool.name}").exists():
        return
    module.mkdir(parents=True, exist_ok=True)
    if not (module / "go.mod").exists():
        release = ".".join(map(str, GO_RELEASE))
        (module / "go.mod").write_text(
            f"module example.local/{tool.group}\n\ngo {release}\n", "utf-8"
        )
        if tool.replaces:
            replaces = [f"-replace={old}={new}" for old, new in tool.replaces.items()]
            _run([go, "mod", "edit", *replaces], module)
    _run([go, "get", "-tool", f"{tool.package}@{tool.version}"], module)
    (module / f".{tool.name}").touch()


def _run(argv: list[str], folder: Path) -> str:
    # No toolchain is downloaded: the pinned sources build with the Go that is installed.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    done = subprocess.run(
        argv, cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise ClusterError(f"{' '.join(argv[:3])} failed in {folder}:\n{tail}")
    return done.stdout


def require_go() -> str:
    """Go's path. Raises ClusterError where it is absent or too old."""
    found = shutil.which("go")
    if found is None:
        raise ClusterError(
            "Go is not on PATH; install Go 1.26 or later (go.dev/dl), then try again"
        )
    text = subprocess.run([found, "env", "GOVERSION"], text=True, capture_output=True, check=False)
    release = text.stdout.strip().removeprefix("go")
    if go_release(release) < GO_RELEASE:
        raise ClusterError(f"Go {release or '?'} is too old; install Go 1.26 or later (go.dev/dl)")
    return found


def go_release(text: str) -> tuple[int, ...]:
    """``1.26.8`` → (1, 26, 8); what is not a number ends it."""
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _chosen(names: Iterable[str]) -> tuple[Tool, ...]:
    try:
        return chosen(names)
    except KeyError as unknown:
        raise ClusterError(
            f"no tool or set is called {unknown}; there are: {', '.join(TOOLS)}"
        ) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
