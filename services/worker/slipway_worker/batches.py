"""The kinds of OpenAI's batches: a file is checked, its lines are asked, the answers are written.

Lines are of a low rank: questions and whoever waits go first. A line that is refused is an answer
like any other, with its status; one that cannot be answered ends with an error of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from slipway_contracts.behalf import Asker
from slipway_store import batches as store
from slipway_store.batches import LineEnd
from slipway_store.connect import Connection, Pool
from slipway_store.files import get_file, read_chunks
from slipway_worker.batch_file import BatchReader, LineError
from slipway_worker.gateway import GatewayClient
from slipway_worker.kinds import Afterwards, Dead, Finished, Job, Kind

RANK = -10


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is wrong with a batch's file; nothing: its lines are stored."""

    batch_id: str
    errors: Sequence[LineError]


class BatchChecks:
    """``Kind``: reads the input file and makes its lines.

    They are stored while the file is read: it may be larger than this process's memory. A worker
    that ends meanwhile leaves them to the next one, which stores what is missing.
    """

    name = store.CHECK
    rank = RANK

    def __init__(self, pool: Pool, *, line_limit: int) -> None:
        self.ended: Counter[str] = Counter()
        self._pool = pool
        self._line_limit = line_limit
        self._reading = asyncio.Semaphore(1)

    async def run(self, job: Job) -> Checked | None:
        """None where the batch was cancelled meanwhile. One file at a time."""
        async with self._reading:
            return await self._check(job)

    async def _check(self, job: Job) -> Checked | None:
        batch = await store.get_batch(self._pool, _told(job)["batch"])
        if batch is None or batch.status != "validating":
            return None
        found = await get_file(self._pool, batch.input_file_id, tenant=batch.tenant)
        if found is None:
            gone = LineError(code="file_not_found", message="the input file was deleted")
            return Checked(batch_id=batch.id, errors=(gone,))
        reader = BatchReader(
            endpoint=batch.endpoint, models=batch.models, line_limit=self._line_limit
        )
        async for chunk in read_chunks(self._pool, found.id, tenant=batch.tenant):
            lines = await asyncio.to_thread(reader.feed, chunk)
            if reader.is_done:
                break
            if lines and not await store.store_lines(self._pool, batch.id, lines):
                return None
        lines = reader.finish()
        if lines and not await store.store_lines(self._pool, batch.id, lines):
            return None
        return Checked(batch_id=batch.id, errors=reader.errors)

    async def store(self, connection: Connection, finished: Sequence[Finished]) -> Afterwards:
        ended: Counter[str] = Counter()
        for one in finished:
            checked = one.result
            if checked is None:
                continue
            if checked.errors:
                errors = [error.shown() for error in checked.errors]
                _count(ended, await store.refuse_batch(connection, checked.batch_id, errors))
            else:
                await store.begin_batch(connection, checked.batch_id, key_id=one.job.key_id)
        return partial(self.ended.update, ended)

    async def fail(self, connection: Connection, dead: Sequence[Dead]) -> Afterwards:
        ended: Counter[str] = Counter()
        for one in dead:
            error = LineError(code="server_error", message="the input file could not be read")
            batch = _told(one.job)["batch"]
            _count(ended, await store.refuse_batch(connection, batch, [error.shown()]))
        return partial(self.ended.update, ended)


class BatchLines:
    """``Kind``: asks the gateway what a line asks."""

    name = store.LINE
    rank = RANK

    def __init__(self, pool: Pool, gateway: GatewayClient) -> None:
        self._pool = pool
        self._gateway = gateway

    async def run(self, job: Job) -> LineEnd | None:
        """None where the batch was cancelled meanwhile."""
        told = _told(job)
        line = await store.read_line(self._pool, told["batch"], told["line"])
        if line is None:
            return None
        asker = Asker(tenant=job.tenant, key_id=job.key_id)
        answer = await self._gateway.ask(line.endpoint, line.request, asker=asker)
        return LineEnd(
            batch_id=line.batch_id,
            line=line.line,
            status_code=answer.status,
            request_id=answer.request_id,
            response=answer.json_text(),
        )

    async def store(self, connection: Connection, finished: Sequence[Finished]) -> None:
        ends = [one.result for one in finished if one.result is not None]
        if ends:
            await store.end_lines(connection, ends)

    async def fail(self, connection: Connection, dead: Sequence[Dead]) -> None:
        await store.end_lines(connection, [_dead_end(one) for one in dead])


class BatchEnds:
    """``Kind``: writes the files of a batch that has no line left."""

    name = store.END
    rank = RANK

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()

    async def run(self, job: Job) -> str:
        batch: str = _told(job)["batch"]
        return batch

    async def store(self, connection: Connection, finished: Sequence[Finished]) -> Afterwards:
        ended: Counter[str] = Counter()
        for one in finished:
            _count(ended, await store.end_batch(connection, one.result))
        return partial(self.ended.update, ended)

    async def fail(self, connection: Connection, dead: Sequence[Dead]) -> None:
        """The batch stays as it is until its dead job is retried."""


def ended_batches(kinds: Iterable[Kind]) -> Counter[str]:
    """How many batches ended in this worker, by the status they ended in."""
    total: Counter[str] = Counter()
    for kind in kinds:
        if isinstance(kind, BatchChecks | BatchEnds):
            total += kind.ended
    return total


def _count(ended: Counter[str], status: str | None) -> None:
    if status is not None:
        ended[status] += 1


def _told(job: Job) -> Any:
    return orjson.loads(job.payload)


def _dead_end(dead: Dead) -> LineEnd:
    told = _told(dead.job)
    message = dead.told or "the request could not be answered"
    return LineEnd(
        batch_id=told["batch"],
        line=told["line"],
        error={"code": "request_failed", "message": message},
    )
