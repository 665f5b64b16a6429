"""Ask a Prometheus for what a query gives over a time. Standard library only."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 60


class Unreachable(Exception):
    """Prometheus does not answer; the message names the address and the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one query: why it was refused, else how many series had a figure."""

    series: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that is asked for, in seconds since the epoch, and the step."""

    start: float
    end: float
    step: float


class Prometheus:
    """The HTTP API at ``url``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def over(self, expr: str, span: Span) -> Answered:
        """Evaluate over the span; a series of nothing but NaN is none."""
        asked = {"query": expr, "start": span.start, "end": span.end, "step": span.step}
        body = self._get("query_range", asked)
        if body["status"] != "success":
            return Answered(refused=f"{body.get('errorType')}: {body.get('error')}")
        found = body["data"]["result"]
        return Answered(series=sum(_has_figure(series["values"]) for series in found))

    def rules_in_trouble(self) -> list[str]:
        """Loaded rules that Prometheus could not evaluate, with its words."""
        groups = self._get("rules", {})["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [f"{r['name']}: {r.get('lastError', '')}" for r in rules if r["health"] == "err"]

    def _get(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(asked)}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                read: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            # 400 and 422 say what is wrong with the query.
            with error:
                read = json.loads(error.read() or b"{}")
            read.setdefault("status", "error")
        except OSError as error:
            raise Unreachable(f"{self._url} does not answer: {error}") from error
        return read


def _has_figure(values: list[Any]) -> bool:
    return any(not math.isnan(float(value)) for _, value in values)
