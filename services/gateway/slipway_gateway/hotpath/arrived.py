"""What a socket has received and nobody has read: closing over it would be a reset.

Asked when the process ends, before an idle connection is closed. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios


def unread(transport: asyncio.BaseTransport) -> int:
    """Bytes that have arrived and that the event loop has not read yet."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return 0
    (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))
    return int(count)
