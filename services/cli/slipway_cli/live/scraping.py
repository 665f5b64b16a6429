"""A window from the processes' own ``/metrics``: two scrapes, and the difference is the rate.

Targets are the files that local mode writes for Prometheus' file discovery, so ``top`` and a
Prometheus read the same addresses. A counter that fell was another process's, begun since: it
counts from 0, as Prometheus has it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from slipway_cli.live.window import PROCESS, Sample, Window, series_names

TIMEOUT = aiohttp.ClientTimeout(total=3, sock_connect=1)
# Ray's node agent tells megabytes; nothing of ours does.
MAX_BYTES = 16 << 20
_CUMULATIVE = ("_total", "_bucket")
Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Target:
    """One process. ``labels`` are those of the discovery file."""

    address: str
    labels: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.labels.get(PROCESS) or self.labels.get("job") or self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """What all targets said at one moment."""

    at: float
    values: Mapping[Key, float]
    silent: tuple[str, ...]


@dataclass(slots=True)
class Scraper:
    """``LiveSource`` over a folder of discovery files; keeps the scrape before this one."""

    folder: Path
    _before: Scrape | None = field(default=None)

    async def read(self) -> Window:
        now = await scrape(read_targets(self.folder))
        before, self._before = self._before, now
        return window_of(before, now)


def read_targets(folder: Path) -> list[Target]:
    """Every target of every file; a file that is being written is left out this time."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            groups = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        found += [
            Target(address, group.get("labels", {}))
            for group in groups
            for address in group.get("targets", ())
        ]
    return found


async def scrape(targets: Sequence[Target]) -> Scrape:
    """All at once; who does not answer is ``silent``."""
    at = time.monotonic()
    async with aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False) as client:
        pages = await asyncio.gather(*(_page(client, target) for target in targets))
    values: dict[Key, float] = {}
    for target, page in zip(targets, pages, strict=True):
        values |= parse(page, target.labels) if page is not None else {}
    silent = tuple(t.name for t, page in zip(targets, pages, strict=True) if page is None)
    return Scrape(at=at, values=values, silent=silent)


async def _page(client: aiohttp.ClientSession, target: Target) -> str | None:
    try:
        headers = {"Accept": "text/plain"}
        async with client.get(f"http://{target.address}/metrics", headers=headers) as answer:
            if answer.status != 200:
                return None
            data = await answer.content.read(MAX_BYTES)
            while more := await answer.content.read(MAX_BYTES - len(data)):
                data += more
            return data.decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


def parse(page: str, labels: Mapping[str, str]) -> dict[Key, float]:
    """The series that are read, with the target's labels added. A broken page is an empty one."""
    wanted = tuple(series_names())
    # Only what is wanted is parsed: Ray's pages have thousands of other lines.
    lines = [line for line in page.splitlines() if line.startswith(wanted)]
    found: dict[Key, float] = {}
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                if sample.name in wanted:
                    key = tuple(sorted({**labels, **sample.labels}.items()))
                    found[sample.name, key] = sample.value
    except ValueError:
        return {}
    return found


def window_of(before: Scrape | None, now: Scrape) -> Window:
    """Rates where there was a scrape before, values of gauges always."""
    seconds = now.at - before.at if before is not None else 0.0
    samples: dict[str, list[Sample]] = {}
    for (name, labels), value in now.values.items():
        if name.endswith(_CUMULATIVE):
            if before is None or seconds <= 0:
                continue
            earlier = before.values.get((name, labels), 0.0)
            value = (value - earlier if value >= earlier else value) / seconds
        samples.setdefault(name, []).append(Sample(labels=dict(labels), value=value))
    return Window(
        samples=samples, source="the processes' /metrics", seconds=seconds, silent=now.silent
    )
