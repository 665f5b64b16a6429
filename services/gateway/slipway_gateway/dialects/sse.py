"""Whole server-sent events → their data. For dialects that change a stream; the relay does not."""

from __future__ import annotations

from collections.abc import Iterator


def payloads(events: bytes) -> Iterator[bytes]:
    """The data of each event, its lines joined; comments, names and ids are dropped."""
    data: list[bytes] = []
    for line in events.splitlines():
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)
