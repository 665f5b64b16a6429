"""Copies of a sampled share of the traffic, for a version that serves nobody yet.

A copy starts after its original has been answered, so it delays nobody; its answer is drained,
judged and logged with ``shadow`` true, and goes nowhere. Copies beyond the bound are dropped.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from slipway_contracts.names import HEADER_REQUEST_ID
from slipway_contracts.route import ShadowRoute
from slipway_gateway.errors import BackendError
from slipway_gateway.hotpath.record import Journal, Record, Subject
from slipway_gateway.hotpath.sniff import StreamSniffer, read_whole
from slipway_gateway.hotpath.upstream import Answer, Upstream
from slipway_gateway.outcome import Events, Observed, judge

logger = logging.getLogger(__name__)

# Originals are attempts 1 and 2 of a request.
SHADOW_ATTEMPT = 0


class Shadows:
    """Runs the copies. ``is_fenced``: a fenced gateway sends nothing to a candidate."""

    def __init__(
        self,
        journal: Journal,
        upstream: Upstream,
        *,
        concurrency: int,
        timeout: float,
        is_fenced: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._upstream = upstream
        self._concurrency = concurrency
        self._timeout = timeout
        self._is_fenced = is_fenced
        self._running: set[asyncio.Task[None]] = set()
        self._random = random.Random()
        self.dropped = 0

    def offer(self, subject: Subject, body: bytes) -> None:
        """Copy this request, if its route wants it and there is room. Returns at once."""
        shadow = subject.route.shadow
        if shadow is None or self._is_fenced() or self._random.random() >= shadow.sample:
            return
        if len(self._running) >= self._concurrency:
            self.dropped += 1
            return
        task = asyncio.create_task(self._run(subject, shadow, body))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Cut what still runs."""
        tasks = tuple(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, subject: Subject, shadow: ShadowRoute, body: bytes) -> None:
        record = Record(
            self._journal, subject, version=shadow.version, number=SHADOW_ATTEMPT, shadow=True
        )
        try:
            async with asyncio.timeout(self._timeout):
                await self._drain(subject, shadow, body, record)
        except BackendError as error:
            record.close(error.status, Events(error=True), Observed(), message=error.message)
        except TimeoutError:
            record.close(504, Events(error=True), Observed(), message="the copy took too long")
        except asyncio.CancelledError:
            record.close(499, Events(), Observed(), client_gone=True)
            raise
        except Exception:
            logger.exception("a copy failed", extra={"request_id": subject.request_id})
            record.close(500, Events(), Observed(), client_gone=True)

    async def _drain(
        self, subject: Subject, shadow: ShadowRoute, body: bytes, record: Record
    ) -> None:
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            HEADER_REQUEST_ID: f"{subject.request_id}-shadow",
        }
        answer = await self._upstream.post(shadow.url, subject.ask.path, body=body, headers=headers)
        try:
            if answer.is_stream and answer.status == 200:
                seen, broken, data = await _drain_stream(answer)
            else:
                data = await answer.whole()
                whole = read_whole(data)
                seen, broken = whole or Observed(), whole is None and answer.status < 400
        finally:
            answer.close()
        record.close(
            answer.status, judge(subject.ask, answer.status, seen, broken=broken, body=data), seen
        )


async def _drain_stream(answer: Answer) -> tuple[Observed, bool, bytes]:
    sniffer = StreamSniffer()
    while chunk := await answer.chunk():
        sniffer.feed(chunk, time.monotonic())
    sniffer.rest(time.monotonic())
    return sniffer.seen, not sniffer.seen.whole and not sniffer.blind, b""
