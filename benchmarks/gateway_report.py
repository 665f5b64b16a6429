"""What ``benchmarks.gateway`` found, in figures: medians over rounds, ratios of pairs."""

from __future__ import annotations

import statistics
from typing import Any

# Paced: a millisecond between chunks, so that each is a wake-up of its own and the kernel's share,
# which is the same for all, weighs most.
KINDS = ("unshipped", "request", "stream_100", "paced_100")
OURS = "slipway"
# Microseconds by kind, one a round.
Samples = dict[str, list[float]]


def summary(samples: dict[str, Samples]) -> dict[str, Any]:
    """CPU time, and ours beside it: as a ratio, and how many times less."""
    out: dict[str, Any] = {
        "cpu_us": {
            name: {kind: round(statistics.median(values), 1) for kind, values in of.items()}
            for name, of in samples.items()
        },
        "ratio": {},
        "times_less": {},
    }
    ours = samples[OURS]
    for name in samples.keys() - {OURS}:
        pairs = {
            kind: [mine / its for mine, its in zip(ours[kind], samples[name][kind], strict=True)]
            for kind in KINDS
        }
        medians = {kind: statistics.median(values) for kind, values in pairs.items()}
        out["ratio"][name] = {kind: round(value, 3) for kind, value in medians.items()}
        out["times_less"][name] = {kind: round(1 / value, 1) for kind, value in medians.items()}
    return out


def show(result: dict[str, Any]) -> None:
    """A table for people."""
    print(f"{'CPU µs (ours / it)':22}" + "".join(f"{kind:>20}" for kind in KINDS))
    for name, of in result["cpu_us"].items():
        ratios = result["ratio"].get(name, {})
        cells = [f"{of[kind]} ({ratios[kind]})" if ratios else f"{of[kind]}" for kind in KINDS]
        print(f"{name:22}" + "".join(f"{cell:>20}" for cell in cells))
    print(f"{'the shipper alone':22}{result['cpu_us'][OURS]['shipping']:>20}")
    for what in result["wrong_answers"]:
        print(f"measured again: {what}")
    for name, why in result["not_measured"].items():
        print(f"NOT MEASURED: {name}: {why}")
