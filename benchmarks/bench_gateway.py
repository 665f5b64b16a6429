"""``make bench-gateway``: every bar of the gateway in one run, met or not.

Runs the parts one after another (``benchmarks.parts``), each in a process of its own, then prints a
table of all bars (``benchmarks.bars``). The last line is one JSON object with every figure and
ratio. Exits 1 where a bar is missed or was not measured. ``--only`` and ``--rounds`` are for a
quick look, ``--tiny`` is to see that all of it runs; a figure counts only from a whole run on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.bars import BARS, Bar, figure_of
from benchmarks.parts import PARTS, run


def judged(bars: Sequence[Bar], found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each bar; ``met`` is None where there is no limit."""
    rows = []
    for bar in bars:
        of = found[bar.part]
        value = figure_of(of, bar.figure)
        row = {"bar": bar.what, "wanted": bar.wanted, "measured": value, "met": bar.met(value)}
        if value is None:
            row["why"] = reason(of, bar)
        rows.append(row)
    return rows


def reason(found: dict[str, Any], bar: Bar) -> str:
    """Why a figure is not there."""
    if "failed" in found:
        return str(found["failed"])
    for name, why in found.get("not_measured", {}).items():
        if name in bar.figure.split("."):
            return str(why)
    return f"the part {bar.part} printed no {bar.figure}"


def show(rows: Sequence[dict[str, Any]]) -> None:
    """The table, then what was not measured."""
    words = {True: "yes", False: "NO", None: ""}
    print(f"\n{'bar':62}{'wanted':>12}{'measured':>12}  met")
    for row in rows:
        measured = "-" if row["measured"] is None else f"{row['measured']:,g}"
        print(f"{row['bar']:62}{row['wanted']:>12}{measured:>12}  {words[row['met']]}")
    for why in dict.fromkeys(row["why"] for row in rows if "why" in row):
        print(f"NOT MEASURED: {why}")
        for row in rows:
            if row.get("why") == why:
                print(f"  {row['bar']}")


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.bench_gateway")
    names = [part.name for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART")
    parser.add_argument("--rounds", type=int, help="of every part; bars are for 7 and more")
    parser.add_argument("--tiny", action="store_true", help="small counts, worthless figures")
    options = parser.parse_args()
    began, found = time.monotonic(), {}
    for part in PARTS:
        if part.name in options.only:
            command = part.command(rounds=options.rounds, tiny=options.tiny)
            print(f"== {part.name}: {' '.join(command[1:])}", flush=True)
            found[part.name] = run(part, command, lambda line: print(f"   {line}", flush=True))
            print(f"   {found[part.name]['took_seconds']} s", flush=True)
    rows = judged([bar for bar in BARS if bar.part in found], found)
    show(rows)
    missed = [row["bar"] for row in rows if row["met"] is False]
    body = {
        "benchmark": "bench-gateway",
        "ok": not missed,
        "missed": missed,
        "bars": rows,
        "left_out": [name for name in names if name not in found],
        "tiny": options.tiny,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
        "took_seconds": round(time.monotonic() - began),
        "parts": found,
    }
    print(json.dumps(body))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
