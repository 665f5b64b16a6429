"""Ports for processes that a test starts: nobody else takes one between its choice and its use.

The kernel's own choice comes from the range out of which every connection and every other test
takes theirs, too. These lie below it, and each xdist worker has a share of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

FIRST, SHARE, WORKERS = 20_000, 1_200, 8


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    # Two runs on one machine begin at different places.
    begin = os.getpid() % SHARE
    for number in itertools.count(begin):
        yield FIRST + worker * SHARE + number % SHARE


_PORTS = _ports()


def free_port() -> int:
    """A port that nobody listens on now, another one each time."""
    for port in itertools.islice(_PORTS, SHARE):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"all of {SHARE} ports are taken")
