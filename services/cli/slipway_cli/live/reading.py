"""The picture of a session at one moment: objects and a window, asked for at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from slipway_cli.client import Session
from slipway_cli.live.picture import Order, Picture, picture
from slipway_cli.live.prometheus import Prometheus
from slipway_cli.live.scraping import Scraper
from slipway_cli.live.window import Window
from slipway_cli.local.layout import Layout
from slipway_cli.resources import Kind, Resource
from slipway_cli.shell import Shell

# Between the two scrapes of a single picture: long enough for a rate, short enough to wait for.
BETWEEN_SECONDS = 2.0
_NO_METRICS = "No metrics from here: give --prometheus URL (a port-forward will do)."
_NOT_WRITTEN = "No process tells where its /metrics are: restart with `slipway up`."


class LiveSource(Protocol):
    """Where figures come from."""

    async def read(self) -> Window: ...


@dataclass(frozen=True, slots=True)
class Local:
    """``LiveSource`` of local mode: figures of this second, alerts where ``up --observe`` runs."""

    scraper: Scraper
    layout: Layout

    async def read(self) -> Window:
        window = await self.scraper.read()
        url = await asyncio.to_thread(self._prometheus)
        return replace(window, alerts=await Prometheus(url).alerts()) if url else window

    def _prometheus(self) -> str | None:
        try:
            state = self.layout.read_state()
        except ValueError:
            return None
        return state.prometheus_url if state is not None else None


def source_of(shell: Shell, prometheus: str | None) -> LiveSource | None:
    """The given Prometheus, else local mode's processes (and its own Prometheus' alerts); None: no
    figures.
    """
    if prometheus is not None:
        return Prometheus(prometheus)
    if shell.cluster is not None:
        return None
    return Local(Scraper(shell.layout.observe / "targets"), shell.layout)


async def read_picture(
    session: Session, source: LiveSource | None, *, order: Order, every: bool
) -> Picture:
    """Raises the errors of the session's objects, and CliError for a Prometheus that is not one."""
    resources, window = await asyncio.gather(_resources(session), _window(source))
    note = ""
    if window is None:
        note = _NO_METRICS
    elif not window.samples and not window.silent:
        note = _NOT_WRITTEN if isinstance(source, Local) else f"{window.source} has no sample."
    now = datetime.now(UTC)
    return picture(resources, window, now=now, order=order, every=every, note=note)


async def prime(source: LiveSource | None, *, wait: float = BETWEEN_SECONDS) -> None:
    """The first of two scrapes, so that the picture after it has rates."""
    if isinstance(source, Local) and (await source.read()).samples:
        await asyncio.sleep(wait)


async def _resources(session: Session) -> list[Resource]:
    return [resource for kind in Kind for resource in await session.objects.list(kind)]


async def _window(source: LiveSource | None) -> Window | None:
    return await source.read() if source is not None else None
