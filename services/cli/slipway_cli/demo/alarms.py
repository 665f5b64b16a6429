"""Which alerts fired in the real Prometheus while the demo played, and when.

Read from the series ``ALERTS``, which Prometheus writes itself at every evaluation: nothing is
concluded from rules or metrics here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=10)
# Those that somebody is to act on: `info` only tells (v4 is rejected while all is well).
QUERY = 'ALERTS{alertstate="firing",severity!~"none|info"}'
# Prometheus gives at most 11,000 points of a series.
POINTS = 10_000
POLL_SECONDS = 1.0
# What a Prometheus that is not there, or not well, raises.
AWAY: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One stretch in which one alert fired. Times are unix seconds; ``version`` may be empty."""

    name: str
    severity: str
    version: str
    began: float
    ended: float


async def read_alarms(url: str, *, since: float, until: float) -> tuple[Alarm, ...]:
    """All that fired in between, in order. Raises one of ``AWAY``."""
    step = max(1.0, (until - since) / POINTS)
    given = {"query": QUERY, "start": f"{since}", "end": f"{until}", "step": f"{step}"}
    async with (
        aiohttp.ClientSession(timeout=TIMEOUT) as session,
        session.get(f"{url}/api/v1/query_range", params=given) as response,
    ):
        response.raise_for_status()
        return alarms_of((await response.json())["data"]["result"], step=step)


async def await_alarm(url: str, *, since: float, seconds: float) -> None:
    """Until one that began after ``since`` fires, or ``seconds`` after that."""
    while (now := time.time()) < since + seconds:
        try:
            found = await read_alarms(url, since=since, until=now)
        except AWAY:
            found = ()
        if found:
            return
        await asyncio.sleep(POLL_SECONDS)


def alarms_of(series: Sequence[Mapping[str, Any]], *, step: float) -> tuple[Alarm, ...]:
    """Series of a range query → stretches without a gap, by their beginning."""
    found = []
    for one in series:
        labels = one["metric"]
        for began, ended in _stretches([float(at) for at, _ in one["values"]], step=step):
            alarm = Alarm(
                name=str(labels.get("alertname", "")),
                severity=str(labels.get("severity", "")),
                version=str(labels.get("version", "")),
                began=began,
                ended=ended,
            )
            found.append(alarm)
    return tuple(sorted(found, key=lambda alarm: (alarm.began, alarm.name)))


def _stretches(times: Sequence[float], *, step: float) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for at in times:
        if found and at - found[-1][1] <= 1.5 * step:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found
