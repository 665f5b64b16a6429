"""A window from a Prometheus: instant queries for values and rates, and its alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from slipway_cli.errors import CliError
from slipway_cli.live.window import (
    COUNTERS,
    ENGINES,
    GAUGES,
    HISTOGRAMS,
    Alert,
    Sample,
    Window,
)

TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=3)
# At least four scrapes at 15 s, so that one that is missed does not empty the rate.
RATE_SECONDS = 60
_ABOUT = ("model", "version", "gate", "instance", "pod")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """``LiveSource`` over a server's HTTP interface."""

    url: str

    async def read(self) -> Window:
        """Raises CliError when it does not answer."""
        gauges = "|".join([*(metric.name for metric in GAUGES), *ENGINES])
        rated = [metric.name for metric in COUNTERS]
        rated += [f"{metric.name}_bucket" for metric in HISTOGRAMS]
        async with aiohttp.ClientSession(timeout=TIMEOUT) as client:
            values, alerts, down, *rates = await asyncio.gather(
                self._query(client, f'{{__name__=~"{gauges}"}}'),
                self._alerts(client),
                self._query(client, 'up{job=~"slipway-.*"} == 0'),
                *(self._query(client, f"rate({name}[{RATE_SECONDS}s])") for name in rated),
            )
        samples: dict[str, list[Sample]] = {}
        for found in values:
            samples.setdefault(found["metric"].get("__name__", ""), []).append(_sample(found))
        for name, vector in zip(rated, rates, strict=True):
            samples[name] = [_sample(found) for found in vector]
        return Window(
            samples=samples,
            source=f"Prometheus at {_shown(self.url)}",
            seconds=RATE_SECONDS,
            silent=tuple(_sample(found).process for found in down),
            alerts=alerts,
        )

    async def alerts(self) -> tuple[Alert, ...] | None:
        """Only these; None when it does not answer."""
        try:
            async with aiohttp.ClientSession(timeout=TIMEOUT) as client:
                return await self._alerts(client)
        except CliError:
            return None

    async def _alerts(self, client: aiohttp.ClientSession) -> tuple[Alert, ...]:
        found = await self._get(client, "/api/v1/alerts")
        return tuple(_alert(alert) for alert in found["alerts"])

    async def _query(self, client: aiohttp.ClientSession, query: str) -> list[dict[str, Any]]:
        found = await self._get(client, "/api/v1/query", query=query)
        return list(found["result"])

    async def _get(
        self, client: aiohttp.ClientSession, path: str, **query: str
    ) -> Mapping[str, Any]:
        try:
            async with client.get(self.url.rstrip("/") + path, params=query) as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise CliError(
                f"--prometheus: {_shown(self.url)} does not answer as a Prometheus ({said})"
            ) from None
        if not isinstance(body, dict) or body.get("status") != "success":
            why = body.get("error", answer.status) if isinstance(body, dict) else answer.status
            raise CliError(f"--prometheus: {_shown(self.url)} refused the query: {why}")
        data: Mapping[str, Any] = body["data"]
        return data


def _sample(found: Mapping[str, Any]) -> Sample:
    return Sample(labels=found["metric"], value=float(found["value"][1]))


def _alert(found: Mapping[str, Any]) -> Alert:
    labels, notes = found.get("labels", {}), found.get("annotations", {})
    return Alert(
        name=labels.get("alertname", ""),
        state=found.get("state", ""),
        severity=labels.get("severity", ""),
        about=" ".join(labels[name] for name in _ABOUT if labels.get(name)),
        summary=notes.get("summary") or notes.get("description") or "",
    )


def _shown(url: str) -> str:
    """Without what may be a password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else url
