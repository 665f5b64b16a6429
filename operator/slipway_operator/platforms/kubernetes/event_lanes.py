"""Events behind the passes: a pass says what it saw and goes on, lanes write it a little later.

Half of what a busy operator writes is Events, and nothing waits for them. They are kept in order
for each object, written once each, and at the end given a moment; what the API server does not take
is logged and dropped, as is what exceeds the limit: an Event is a courtesy, the status is the word.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from zlib import crc32

from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Terminal, Transient
from slipway_operator.ports import Events

log = logging.getLogger(__name__)

LANES = 8
# Of each lane; all the first Events of some thousands of versions at once.
LIMIT = 2000
# How long an end waits for what is not written yet.
LAST_SECONDS = 3.0


class EventLanes:
    """``ports.Events``: ``append`` never waits and never fails."""

    def __init__(self, events: Events, *, lanes: int = LANES, limit: int = LIMIT) -> None:
        self._events = events
        self._lanes: list[asyncio.Queue[tuple[str, EventRecord]]] = [
            asyncio.Queue(limit) for _ in range(lanes)
        ]

    async def append(self, namespace: str, events: Sequence[EventRecord]) -> None:
        for event in events:
            lane = self._lanes[crc32(event.name.encode()) % len(self._lanes)]
            try:
                lane.put_nowait((namespace, event))
            except asyncio.QueueFull:
                log.warning("an event is dropped", extra=_about(event, "too many wait"))

    async def drain(self, lane: asyncio.Queue[tuple[str, EventRecord]]) -> None:
        """Until cancelled."""
        while True:
            namespace, event = await lane.get()
            try:
                await self._events.append(namespace, [event])
            except (Transient, Terminal) as error:
                log.warning("an event is dropped", extra=_about(event, str(error)))
            finally:
                lane.task_done()

    async def written(self) -> None:
        """Wait until nothing waits."""
        await asyncio.gather(*(lane.join() for lane in self._lanes))

    @property
    def lanes(self) -> Sequence[asyncio.Queue[tuple[str, EventRecord]]]:
        return self._lanes


@asynccontextmanager
async def event_lanes(events: Events) -> AsyncGenerator[EventLanes]:
    """Lanes that are drained while the context is open, and a moment longer."""
    behind = EventLanes(events)
    tasks = [asyncio.create_task(behind.drain(lane), name="events") for lane in behind.lanes]
    try:
        yield behind
    finally:
        try:
            await asyncio.wait_for(behind.written(), LAST_SECONDS)
        except TimeoutError:
            left = sum(lane.qsize() for lane in behind.lanes)
            log.warning("%d events are dropped: the process ends", left)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _about(event: EventRecord, error: str) -> dict[str, str]:
    return {"object": event.name, "reason": event.reason.value, "error": error}
