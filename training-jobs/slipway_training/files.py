"""Writing so that a reader, or the next start after a power cut, sees all or nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``: temporary sibling, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(content)
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def build_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Make ``target`` with what ``fill`` writes, whole or not at all.

    A sibling left by a killed run is thrown away first. Raises OSError when ``target`` exists.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    fill(temporary)
    sync_tree(temporary)
    temporary.rename(target)
    _sync(target.parent)


def sync_tree(folder: Path) -> None:
    """fsync every file and folder under ``folder``, and ``folder`` itself."""
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
