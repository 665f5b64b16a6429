"""The unit tier's own rule: no sockets, while asyncio works."""

from __future__ import annotations

import asyncio
import socket

import pytest


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.parametrize("act", ["connect", "connect_ex", "bind"])
def test_a_socket_goes_nowhere(family: socket.AddressFamily, act: str) -> None:
    target = "/tmp/x" if family == socket.AF_UNIX else ("127.0.0.1", 9)
    with (
        socket.socket(family) as made,
        pytest.raises(RuntimeError, match="move this test to tests/hermetic"),
    ):
        getattr(made, act)(target)


def test_no_name_is_looked_up() -> None:
    with pytest.raises(RuntimeError, match="unit tests use no sockets"):
        socket.getaddrinfo("localhost", 80)


async def test_no_stream_is_opened() -> None:
    with pytest.raises(RuntimeError, match="unit tests use no sockets"):
        await asyncio.open_connection("127.0.0.1", 9)


async def test_asyncio_itself_works() -> None:
    assert await asyncio.to_thread(lambda: 1) == 1
