"""The watches: Kopf's streams for speed, a relist for truth, both into one cache.

The only module that knows Kopf. Of Kopf it uses ``on.event`` alone: no handlers with state, so no
finalizers and no annotations on anybody's objects. Kopf has a thread and an event loop of its own:
it takes signals, and at its end every task of the loop that it runs in.

A stream that fell silent shows when the relist knows more than it has told: then it is logged,
counted, and all streams are opened anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import kopf

from slipway_operator.errors import OperatorError, Transient
from slipway_operator.platforms.kubernetes.api import PAGE, Access, selector
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    WATCHED,
    Body,
    Kind,
    labels_of,
    name_of,
    uid_of,
)
from slipway_operator.platforms.kubernetes.news import news_session
from slipway_operator.platforms.kubernetes.relist import Key, Relist

log = logging.getLogger(__name__)

RELIST_SECONDS = 20.0
# How much later than that fetch the watch may tell the same.
GRACE_SECONDS = 5.0
# How much later than a list the watch may be before what it has not told is fetched.
SETTLE_SECONDS = 2.0
RESTART_SECONDS = 2.0
# Kopf gives its workers 2 s and what else it finds 5 s.
STOP_SECONDS = 10.0
CLOSE_SECONDS = 0.25
# The API server ends a watch after this, we after a little more: no stream outlives its renewal.
SERVER_TIMEOUT = 240
CLIENT_TIMEOUT = 250
CONNECT_TIMEOUT = 5
REQUEST_TIMEOUT = 30


class WatchEnded(OperatorError):
    """Kopf gave up; its streams are opened anew."""


class Heard(Protocol):
    """Who counts what the watch does."""

    def restarted(self, why: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Watch:
    """``run`` until cancelled. ``access`` logs Kopf in."""

    cache: Cache
    relist: Relist
    access: Access
    namespace: str
    heard: Heard
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _told: set[Key] = field(default_factory=set)

    async def filled(self) -> None:
        """Wait until the cache has everything."""
        await self._filled.wait()

    @property
    def ready(self) -> bool:
        return self._filled.is_set()

    async def run(self) -> None:
        await self._fill()
        while True:
            streams = asyncio.create_task(self._stream(), name="watch-streams")
            silence = asyncio.create_task(self._until_silent(), name="watch-relist")
            try:
                await asyncio.wait((streams, silence), return_when=asyncio.FIRST_COMPLETED)
                why = _why(streams, silence)
            finally:
                await _end(streams, silence)
            self.heard.restarted(why)
            log.warning("watch: opened anew", extra={"error": why})
            await asyncio.sleep(RESTART_SECONDS)

    async def _fill(self) -> None:
        while not self._filled.is_set():
            try:
                await self.relist.fill()
                self._filled.set()
            except Transient as error:
                log.warning("watch: cannot list yet", extra={"error": str(error)})
                await asyncio.sleep(error.delay)

    async def _until_silent(self) -> None:
        """Returns when a list knew what the streams had not told, even a while later."""
        absent = self.relist.absent
        while True:
            await asyncio.sleep(RELIST_SECONDS - GRACE_SECONDS)
            self._told.clear()
            try:
                missed = await self.relist.compare(settle=SETTLE_SECONDS)
            except Transient as error:
                log.warning("watch: cannot list", extra={"error": str(error)})
                continue
            await asyncio.sleep(GRACE_SECONDS)
            if missed - self._told or absent - self.relist.absent:
                return

    async def _stream(self) -> None:
        """Kopf, until it ends by itself. A Kopf that will not end is left behind, deaf."""
        loop, stop, ended = asyncio.get_running_loop(), threading.Event(), asyncio.Event()
        registry = self._registry(loop, stop)
        failed: list[BaseException] = []

        def operate() -> None:
            try:
                asyncio.run(_operate(registry, stop, namespace=self.namespace))
            except BaseException as error:
                failed.append(error)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=operate, name="kopf", daemon=True).start()
        try:
            await ended.wait()
        finally:
            stop.set()
            await _before(ended, seconds=STOP_SECONDS)
        if failed:
            raise WatchEnded(f"{type(failed[0]).__name__}: {failed[0]}")

    def _registry(
        self, loop: asyncio.AbstractEventLoop, stop: threading.Event
    ) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        for kind in WATCHED:
            told = _teller(partial(self.told, kind), loop, stop)
            kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id="cache")(
                told
            )
        return registry

    async def _login(self, **_: Any) -> kopf.AiohttpSession:
        access = await self.access.renewed()
        session = news_session(access, self.is_news)
        return kopf.AiohttpSession(server=access.server, aiohttp_session=session)

    def is_news(self, kind: Kind, body: Body) -> bool:
        """Whether it is newer than the cache. An echo was told all the same: no silence."""
        if not self.cache.knows(kind, body):
            return True
        self._told.add((kind, name_of(body)))
        return False

    def told(self, kind: Kind, event: Any) -> None:
        """One watch event. Also the way in for tests of a watch that is late or doubled."""
        body = dict(event["object"])
        self._told.add((kind, name_of(body)))
        if event["type"] == "DELETED":
            self.cache.drop(kind, name_of(body), uid=uid_of(body))
        else:
            self.cache.put(kind, body)


def _teller(
    told: Callable[[Any], None], loop: asyncio.AbstractEventLoop, stop: threading.Event
) -> Callable[..., Any]:
    """A handler that tells an event in our own loop, unless it comes after the end."""

    async def cache(event: Any, **_: Any) -> None:
        if not stop.is_set():
            loop.call_soon_threadsafe(told, event)

    return cache


class _NoDiffs(kopf.DiffBaseStorage):
    """Kopf copies and compares every body for handlers of changes; here are none."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Nor are there handlers that could be half done, whose marks Kopf would look for."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


async def _operate(
    registry: kopf.OperatorRegistry, stop: threading.Event, *, namespace: str
) -> None:
    await kopf.operator(
        registry=registry,
        settings=_settings(),
        namespaces=[namespace],
        standalone=True,
        stop_flag=stop,
    )
    # Closed TLS connections need a moment of their loop to be closed indeed.
    await asyncio.sleep(CLOSE_SECONDS)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = SERVER_TIMEOUT
    settings.watching.client_timeout = CLIENT_TIMEOUT
    settings.watching.connect_timeout = CONNECT_TIMEOUT
    settings.watching.chunk_size = PAGE
    settings.networking.request_timeout = REQUEST_TIMEOUT
    settings.networking.connect_timeout = CONNECT_TIMEOUT
    # Otherwise Kopf kills the whole process a while after its streams were opened anew.
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.idle_timeout = 1.0
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    for kind in WATCHED:
        labels = labels_of(kind)
        if labels:
            key = (kind.group, kind.version, kind.plural)
            settings.watching.label_selectors[key] = selector(labels)
    return settings


def _why(streams: asyncio.Task[None], silence: asyncio.Task[None]) -> str:
    if silence.done():
        silence.result()
        return "silent"
    error = streams.exception()
    if error is not None:
        log.error("watch: Kopf ended", extra={"error": str(error)})
    return "ended"


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _before(event: asyncio.Event, *, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
