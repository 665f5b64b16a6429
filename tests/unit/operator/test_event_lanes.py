"""Events are written behind the passes: in order for each object, and a failure stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from slipway_contracts.conditions import Reason
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Transient
from slipway_operator.platforms.kubernetes.event_lanes import EventLanes, event_lanes


class Written:
    """An API server that is slow with the first, and takes nothing of ``refused``."""

    def __init__(self, *, refused: str = "") -> None:
        self.said: list[tuple[str, str]] = []
        self._refused = refused

    async def append(self, namespace: str, events: Sequence[EventRecord]) -> None:
        for event in events:
            await asyncio.sleep(0 if self.said else 0.01)
            if event.name == self._refused:
                raise Transient("busy", delay=1.0)
            self.said.append((event.name, event.message))


def an_event(name: str, message: str) -> EventRecord:
    return EventRecord(
        kind="ModelVersion", name=name, type="Normal", reason=Reason.ACCEPTED, message=message
    )


async def test_the_end_waits_for_what_was_said() -> None:
    written = Written()
    async with event_lanes(written) as events:
        await events.append("ns", [an_event("v1", "a"), an_event("v2", "a"), an_event("v1", "b")])
        assert written.said == []
    assert sorted(written.said) == [("v1", "a"), ("v1", "b"), ("v2", "a")]
    assert written.said.index(("v1", "a")) < written.said.index(("v1", "b"))


async def test_what_is_refused_is_dropped_and_the_next_is_written() -> None:
    written = Written(refused="v1")
    async with event_lanes(written) as events:
        await events.append("ns", [an_event("v1", "a"), an_event("v2", "a")])
    assert written.said == [("v2", "a")]


async def test_more_than_the_limit_is_dropped_and_nobody_waits() -> None:
    written = Written()
    behind = EventLanes(written, lanes=1, limit=2)
    await behind.append("ns", [an_event("v1", str(number)) for number in range(5)])
    draining = asyncio.create_task(behind.drain(behind.lanes[0]))
    await behind.written()
    draining.cancel()
    assert [message for _, message in written.said] == ["0", "1"]
