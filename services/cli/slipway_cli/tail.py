"""The end of log files, and what is appended to them. Text may be cut, rotated or not UTF-8."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

POLL_SECONDS = 0.2


def last_lines(path: Path, count: int | None) -> Iterator[str]:
    """The last ``count`` lines (None: all), without their ends."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines if count is None else deque(lines, maxlen=count):
            yield line.rstrip("\n")


def follow(paths: Sequence[Path], *, poll: float = POLL_SECONDS) -> Iterator[tuple[Path, str]]:
    """Whole lines as they are appended, from now on; never ends. A shorter file starts again."""
    offsets = {path: _size(path) for path in paths}
    rests = dict.fromkeys(paths, b"")
    while True:
        quiet = True
        for path in paths:
            size = _size(path)
            if size < offsets[path]:
                offsets[path], rests[path] = 0, b""
            if size == offsets[path]:
                continue
            quiet = False
            with path.open("rb") as file:
                file.seek(offsets[path])
                data = file.read()
            offsets[path] += len(data)
            *lines, rests[path] = (rests[path] + data).split(b"\n")
            for line in lines:
                yield path, line.decode("utf-8", "replace")
        if quiet:
            time.sleep(poll)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
