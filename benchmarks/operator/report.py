"""The bars, a table for people and one object for programs. Pure but for the printing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.operator.phases import Measured, Size

Bar = tuple[str, float, Callable[[float, float], bool]]
# Of ours alone: the peer has no bars. For the size and rate that are the defaults.
BARS: tuple[Bar, ...] = (
    ("objects_per_second", 40.0, lambda value, bar: value >= bar),
    ("restart_writes", 0, lambda value, bar: value <= bar),
    ("event_p99_seconds", 1.5, lambda value, bar: value <= bar),
    ("peak_rss_mib", 300, lambda value, bar: value <= bar),
)
ROWS = (
    ("versions a second, first reconcile", "objects_per_second"),
    ("… until all have run and status, s", "reconciled_seconds"),
    ("… until all have their artifact, s", "settled_seconds"),
    ("writes after a restart", "restart_writes"),
    ("edit → status, p50, s", "event_p50_seconds"),
    ("edit → status, p99, s", "event_p99_seconds"),
    ("peak RSS, MiB", "peak_rss_mib"),
)


def result(measured: dict[str, Measured], size: Size, *, cores: int) -> dict[str, Any]:
    """The JSON of the last line."""
    systems = {name: of.wire() for name, of in measured.items()}
    ours = systems["slipway"]
    bars = {
        name: {"bar": bar, "measured": ours[name], "met": holds(ours[name], bar)}
        for name, bar, holds in BARS
    }
    return {
        "benchmark": "operator",
        "versions": size.versions,
        "models": size.models,
        "rate": size.rate,
        "cores": cores,
        "systems": systems,
        "bars": bars,
        "missed": [name for name, of in bars.items() if not of["met"]],
        "ok": all(of["met"] for of in bars.values()),
    }


def show(of: dict[str, Any]) -> None:
    """A table."""
    systems: dict[str, dict[str, Any]] = of["systems"]
    head = f"{of['versions']} ModelVersions, {of['models']} Models, {of['cores']} cores"
    print(f"{head:40}" + "".join(f"{name:>14}" for name in systems) + f"{'bar':>12}")
    for title, key in ROWS:
        bar = of["bars"].get(key)
        said = f"{bar['bar']} {'met' if bar['met'] else 'MISSED'}" if bar else ""
        print(f"{title:40}" + "".join(f"{s[key]:>14}" for s in systems.values()) + f"{said:>12}")
    for phase in ("first", "restart", "events"):
        cpu = "".join(f"{s['cpu_seconds'][phase]:>14}" for s in systems.values())
        print(f"{f'CPU seconds of the operator, {phase}':40}{cpu}")
    for phase in ("first", "restart", "events"):
        share = "".join(f"{s['cpu_elsewhere'][phase]:>14.0%}" for s in systems.values())
        print(f"{f'CPU of the machine taken by others, {phase}':40}{share}")
    for phase in ("first", "events"):
        writes = "".join(f"{sum(s['writes'][phase].values()):>14}" for s in systems.values())
        print(f"{f'writes of the operator, {phase}':40}{writes}")
    for name in of["missed"]:
        bar = of["bars"][name]
        print(f"MISSED: {name} is {bar['measured']}, the bar is {bar['bar']}")
