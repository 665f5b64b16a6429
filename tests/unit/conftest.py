"""The unit tier is pure: a socket is an error, but for the pair that asyncio wakes itself with."""

from __future__ import annotations

import socket

import pytest


class SocketBlockedError(RuntimeError):
    """A unit test tried to use the network; such a test belongs to the hermetic tier."""


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets may be made as pairs (asyncio's self-pipe), never connected, bound or sent to."""

    def blocked(*_args: object, **_kwargs: object) -> None:
        raise SocketBlockedError("unit tests use no sockets; move this test to tests/hermetic")

    for name in ("connect", "connect_ex", "bind", "listen", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, name, blocked, raising=True)
    monkeypatch.setattr(socket, "create_connection", blocked)
    monkeypatch.setattr(socket, "create_server", blocked)
    monkeypatch.setattr(socket, "getaddrinfo", blocked)
