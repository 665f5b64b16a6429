"""That a relay passes an answer on byte for byte, and that ours has read what it passed on.

The same request goes straight to the engine and through the relay; of both answers the chunk
framing of HTTP, which is each connection's own, is taken off, and the bytes within must be equal.
The log must hold for every stream the time to its first token, the time between tokens, and usage.
"""

from __future__ import annotations

import asyncio

from benchmarks.load import chunked, read_answer, unframed

from slipway_store.connect import Pool


async def different(engine_port: int, port: int, messages: list[bytes]) -> int:
    """How many of the answers are not the engine's."""
    found = 0
    for message in messages:
        theirs, ours = await asyncio.gather(_body(engine_port, message), _body(port, message))
        found += not theirs or theirs != ours
    return found


async def _body(port: int, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(message)
        head, body = await read_answer(reader)
    finally:
        writer.close()
    return unframed(body) if chunked(head) else body


async def unread(pool: Pool) -> dict[str, int]:
    """Streams in the log, and those that lack a figure."""
    row = await pool.fetchrow(
        """SELECT count(*) AS streams, count(*) FILTER (WHERE ttft_ms IS NULL OR token_ms IS NULL
               OR prompt_tokens IS NULL OR completion_tokens IS DISTINCT FROM 100) AS unread
           FROM request_logs WHERE stream"""
    )
    return {"streams": row["streams"], "without_figures": row["unread"]}
