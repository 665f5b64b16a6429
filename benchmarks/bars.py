"""The bars of the gateway, row by row: which figure of which part must be at least or at most what.

A figure is a path into the JSON object that the part prints last. A row without a limit is printed
beside the others and cannot be missed. The parts know nothing of this table, so that a bar is
changed in one place, and a part that prints another figure is found: its row is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row. ``least`` and ``most`` None: the figure is only printed."""

    what: str
    part: str
    figure: str
    least: float | None = None
    most: float | None = None

    @property
    def wanted(self) -> str:
        """The limit as people write it."""
        if self.least is not None:
            return f">= {self.least:,g}"
        return "(printed)" if self.most is None else f"<= {self.most:,g}"

    def met(self, value: float | None) -> bool | None:
        """Whether the figure is there and within its limit; None where there is no limit."""
        if self.least is None and self.most is None:
            return None
        return (
            value is not None
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )


def figure_of(found: dict[str, Any], path: str) -> float | None:
    """The number at a dotted path; None where there is none."""
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) else None


def _printed(what: str, part: str, figure: str) -> Bar:
    return Bar(what=what, part=part, figure=figure)


def _least(what: str, part: str, figure: str, limit: float) -> Bar:
    return Bar(what=what, part=part, figure=figure, least=limit)


def _most(what: str, part: str, figure: str, limit: float) -> Bar:
    return Bar(what=what, part=part, figure=figure, most=limit)


_REQUEST = (
    _printed("request: CPU us, log appended, not shipped", "relay", "cpu_us.slipway.unshipped"),
    _printed("request: CPU us with the shipper", "relay", "cpu_us.slipway.request"),
    _printed("request: CPU us of vllm-router", "relay", "cpu_us.vllm_router.request"),
    _printed("request: CPU us of smg", "relay", "cpu_us.smg.request"),
    _printed("request: CPU us of LiteLLM", "litellm", "cpu_us.litellm.request"),
    _most(
        "request: x vllm-router, without the shipper", "relay", "ratio.vllm_router.unshipped", 0.75
    ),
    _most("request: x vllm-router, with the shipper", "relay", "ratio.vllm_router.request", 1.2),
    _most("request: x smg, without the shipper", "relay", "ratio.smg.unshipped", 0.3),
    _printed("request: x smg, with the shipper", "relay", "ratio.smg.request"),
    _printed(
        "request: x smg, stripped, without the shipper", "relay", "ratio.smg_stripped.unshipped"
    ),
    _printed(
        "request: x vllm-router as it starts, with the shipper",
        "relay",
        "ratio.vllm_router_defaults.request",
    ),
    _printed(
        "request: x smg as it starts, with the shipper", "relay", "ratio.smg_defaults.request"
    ),
    _least(
        "request: times less than LiteLLM, with the shipper",
        "litellm",
        "times_less.litellm.request",
        100,
    ),
)
_STREAM = (
    _printed("100-chunk stream: CPU us", "relay", "cpu_us.slipway.stream_100"),
    _most("100-chunk stream: x vllm-router", "relay", "ratio.vllm_router.stream_100", 1.0),
    _printed("100-chunk stream: x smg", "relay", "ratio.smg.stream_100"),
    _least(
        "100-chunk stream: times less than LiteLLM", "litellm", "times_less.litellm.stream_100", 40
    ),
    _most("answers whose bytes are not the engine's", "relay", "bytes.different", 0),
    _most("streams in the log without a figure", "relay", "extracted.without_figures", 0),
)
_LATENCY = (
    _most("added at 500 req/s: p50 ms", "latency", "added_p50_ms.slipway", 0.4),
    _printed("at 500 req/s: p99 ms, straight at the engine", "latency", "p99_ms.engine"),
    _printed("at 500 req/s: p99 ms", "latency", "p99_ms.slipway"),
    _printed("at 500 req/s: p99 ms of smg", "latency", "p99_ms.smg"),
    _printed("at 500 req/s: p99 ms of vllm-router", "latency", "p99_ms.vllm_router"),
)
_OVERLOAD = (
    _least("3 x capacity: goodput of peak", "overload", "triple.goodput_of_peak", 0.95),
    _most(
        "3 x capacity: refusals that are not 429/503 with Retry-After",
        "overload",
        "triple.wrong_refusals",
        0,
    ),
    _most("3 x capacity: refusals' p99 ms", "overload", "triple.refused_p99_ms", 20),
    _most("3 x capacity: accepted streams cut", "overload", "triple.cut_streams", 0),
    _most("10 x noisy key: others' p99, x of alone", "overload", "noisy.ratio", 1.3),
    _printed("10 x noisy key: others refused", "overload", "noisy.others_refused"),
    _most("PostgreSQL frozen 10 s: request p99, x of before", "overload", "frozen.ratio", 1.1),
)
_PROCESS = (
    _most("5,000 open streams: MB", "memory", "streams_mb", 200),
    _most("idle: MB", "memory", "idle_mb", 95),
    _most("ready: s", "memory", "ready_seconds", 1.5),
)
_LOG = (
    _least("log: rows/s with 2 KB of text", "log", "with_text.ship_rows_per_second", 15_000),
    _least("log: rows/s without text", "log", "without_text.ship_rows_per_second", 30_000),
    _most("log: CPU us a row without text", "log", "without_text.row_us", 25),
)
_QUEUE = (
    _least("queue: x bare pgqueuer", "queue", "ratio_row_pgqueuer", 0.8),
    _least("queue: x procrastinate", "queue", "ratio_row_procrastinate", 3),
)
_SCRAPE = (
    _most("scrape every 15 s: % of a core", "scrape", "core_percent", 1),
    _most("scrape: ms until it is read", "scrape", "wall_ms_median", 80),
)
BARS = (*_REQUEST, *_STREAM, *_LATENCY, *_OVERLOAD, *_PROCESS, *_LOG, *_QUEUE, *_SCRAPE)
