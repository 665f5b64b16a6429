"""Two processes, killed and ended at random, a database that fails: no answer without its row.

A tenth of the size here; the whole with SLIPWAY_SOAK=1.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import pytest
from fault_server import FaultServer
from loss_storm import Size, Storm, ledger
from postgres_server import PostgresServer, in_thread

SOAK = bool(os.environ.get("SLIPWAY_SOAK"))
SIZE = (
    Size(answers=200_000, kills=100, ends=100, faults=20)
    if SOAK
    else Size(answers=20_000, kills=10, ends=10, faults=4)
)
SECONDS = 3600 if SOAK else 500


async def play(server: PostgresServer, database: str, folder) -> dict[str, object]:
    async with FaultServer() as engine:
        storm = Storm(server, database, folder, engine.url)
        try:
            await storm.run(SIZE, seconds=SECONDS)
            found = await ledger(storm, seconds=60)
        finally:
            await storm.stop()
        return {"storm": storm, "ledger": found}


@pytest.mark.timeout(SECONDS + 120)
def test_every_answer_has_its_row_once(tmp_path):
    got: dict[str, object] = {}
    # A server of its own: it is stopped, frozen and made read-only.
    with PostgresServer() as server:
        database = server.create()
        in_thread(lambda: got.update(asyncio.run(play(server, database, tmp_path))))
    storm, found = got["storm"], got["ledger"]
    print(f"{len(storm.answered)} answers, {found.rows} rows, {dict(storm.done)}, {storm.refused}")
    print(f"{storm.broken} connections broken, exits {dict(Counter(storm.exits))}")
    assert found.missing == []
    assert found.doubled == []
    # An end is a clean one, whatever the database does.
    assert {code for how, code in storm.exits if how == "end"} == {0}
    assert set(storm.refused) <= {503}
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert "is lost" not in logs
