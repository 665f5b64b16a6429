"""Hostile clients at random: rows of the corpus bent, cut, doubled and spliced, judged by llhttp.

The seed is fixed here; with SLIPWAY_SOAK=1 it is new each time (and printed), and there are many
more of them.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

from client_verdict import CONCURRENCY, WAYS, problems, send
from fault_server import FaultServer
from hostile_site import Site, bounded
from http_corpus import HIDDEN, Row, rows

SOAK = bool(os.environ.get("SLIPWAY_SOAK"))
COUNT = 60_000 if SOAK else 2_500
SEED = time.time_ns() if SOAK else 7
BATCH = 5_000
LONGEST = 4_000
TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\x0b", b"\xff", b":", b";", b",", b"-", b"+"),
    *(b"0x", b"0", b"1", b"0\r\n\r\n", b"\r\n\r\n", b"chunked", b"HTTP/1.1", b"HTTP/1.0", b"%00"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"content-length: 10\r\n"),
    *(b"connection: close\r\n", b"connection: keep-alive\r\n", b"expect: 100-continue\r\n"),
    *(b"connection: upgrade\r\nupgrade: h2c\r\n", b"GET /health HTTP/1.1\r\n\r\n", HIDDEN),
    *(b"transfer-encoding: identity\r\n", b" folded\r\n", b"#", b"?", b"//", b"/../", b"POST "),
)


def bent(chance: random.Random, pool: list[bytes]) -> bytes:
    """One to four changes of a row."""
    data = chance.choice(pool)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randint(1, 12))
        match chance.randrange(6):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:end] + data[start:]
            case 2:
                data = data[:start] + chance.choice(TOKENS) + data[start:]
            case 3:
                data = data[:start] + bytes([chance.randrange(256)]) + data[start + 1 :]
            case 4:
                lines = data.split(b"\r\n")
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                data = b"\r\n".join(lines)
            case _:
                other = chance.choice(pool)
                data = data[:start] + other[chance.randrange(len(other) + 1) :]
    return data


async def _run(site: Site) -> list[str]:
    chance = random.Random(SEED)
    pool = [row.data for row in rows() if len(row.data) <= LONGEST]
    wrong: list[str] = []
    async with FaultServer() as engine:
        await site.publish({"echo": engine.url})
        for first in range(0, COUNT, BATCH):
            sent = [
                Row(name=str(number), data=bent(chance, pool))
                for number in range(first, min(COUNT, first + BATCH))
            ]
            ways = [chance.choice(WAYS) for _ in sent]
            work = (
                send(site, row, way, int(row.name)) for row, way in zip(sent, ways, strict=True)
            )
            for row, way, got in zip(sent, ways, await bounded(work, CONCURRENCY), strict=True):
                found = problems(row, got, engine.seen)
                wrong += [f"{SEED} {way} {row.data!r}: {problem}" for problem in found]
    # Tracebacks are the table's to find: its row not-found-bad-chunk.
    return wrong


def test_bent_requests(campaign: Any) -> None:
    wrong = campaign(_run)
    print(f"{COUNT} bent requests of seed {SEED}, {len(wrong)} wrong")
    assert not wrong, "\n".join([f"{len(wrong)} wrong", *(one[-6000:] for one in wrong[:10])])
