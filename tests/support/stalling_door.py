"""A door before a TCP server that lets a number of bytes in and then nothing more.

What a process sends through it stops at a place that the test chose, so that "killed in the middle"
is no matter of luck. ``stalled`` is set when it happened.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


class StallingDoor:
    """``url`` leads to ``target`` (``http://HOST:PORT``) until ``limit`` bytes went in."""

    def __init__(self, target: str, *, limit: int, port: int = 0) -> None:
        host, _, number = target.removeprefix("http://").partition(":")
        self._target = (host, int(number))
        self._room = limit
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((HOST, port))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        self.stalled = threading.Event()
        self._threads = [self._start(self._accept)]

    def close(self) -> None:
        """Cut everything."""
        # A listener that is only closed still holds a thread in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for found in self._sockets:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
            found.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, run, *args) -> threading.Thread:  # type: ignore[no-untyped-def]
        thread = threading.Thread(target=run, args=args, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                self._threads.append(self._start(self._pump, client, server, True))
                self._threads.append(self._start(self._pump, server, client, False))

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while raw := source.recv(1 << 16):
                if counted and not self._passes(len(raw)):
                    return
                sink.sendall(raw)

    def _passes(self, size: int) -> bool:
        with self._lock:
            self._room -= size
            if self._room < 0:
                self.stalled.set()
            return self._room >= 0


@contextmanager
def stalling_door(target: str, *, limit: int, port: int = 0) -> Iterator[StallingDoor]:
    """Closed at the end. ``port`` 0: any."""
    door = StallingDoor(target, limit=limit, port=port)
    try:
        yield door
    finally:
        door.close()
