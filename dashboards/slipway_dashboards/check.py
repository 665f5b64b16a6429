"""Run every query of every dashboard against a real Prometheus: ``-m slipway_dashboards.check``.

Fails on a query that is refused, on one that is empty although the named feeds make its data, and
on a loaded rule that cannot be evaluated. Whoever has a run (the demo, a cluster) calls ``checked``
or this command.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slipway_dashboards.asking import Answered, Prometheus, Span, Unreachable
from slipway_dashboards.boards import BOARDS
from slipway_dashboards.feeds import RUNS, Feed, feeds_of
from slipway_dashboards.filling import filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query of a dashboard, and what came of it."""

    where: str
    expr: str
    feed: Feed
    answered: Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of them. ``feeds`` are those that had to make data."""

    asked: tuple[Asked, ...]
    feeds: frozenset[Feed]
    rules: tuple[str, ...]

    @property
    def refused(self) -> list[Asked]:
        """What Prometheus would not evaluate."""
        return [one for one in self.asked if one.answered.refused]

    @property
    def empty(self) -> list[Asked]:
        """What has no data although its feed was there."""
        wanted = [one for one in self.asked if one.feed in self.feeds]
        return [one for one in wanted if not one.answered.refused and not one.answered.series]

    @property
    def passed(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.refused or self.empty or self.rules)

    def lines(self) -> Iterator[str]:
        """What a person reads: what is wrong, then the sum."""
        for one in self.refused:
            yield f"refused  {one.where}: {one.answered.refused}\n         {one.expr}"
        for one in self.empty:
            yield f"empty    {one.where} (fed by {one.feed})\n         {one.expr}"
        for rule in self.rules:
            yield f"rule     {rule}"
        filled_ones = sum(one.answered.series > 0 for one in self.asked)
        yield (
            f"{len(self.asked)} queries: {len(self.refused)} refused, {filled_ones} with data, "
            f"{len(self.empty)} empty that should not be; {len(self.rules)} rules in trouble"
        )


def checked(prometheus: str, feeds: Iterable[Feed], *, since: float, window: str = "1m") -> Report:
    """Ask everything over the last ``since`` seconds. ``window`` stands for Grafana's interval."""
    api = Prometheus(prometheus)
    now = time.time()
    # 120 steps show what a panel shows, and cost little.
    span = Span(start=now - since, end=now, step=max(5.0, since / 120))
    fill = {"window": window, "shown": f"{int(since)}s"}
    asked = tuple(
        Asked(where=where, expr=expr, feed=feed, answered=api.over(filled(expr, **fill), span))
        for where, expr, feed in _questions()
    )
    return Report(asked=asked, feeds=frozenset(feeds), rules=tuple(api.rules_in_trouble()))


def _questions() -> Iterator[tuple[str, str, Feed]]:
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                yield f"{board.name}/{panel.title}", query.expr, panel.feed(query)
        for mark in board.marks:
            yield f"{board.name}/marks/{mark.name}", mark.expr, mark.fed_by


def main(arguments: list[str] | None = None) -> int:
    """0 when all is well; 1 when a query or rule is not; 2 when Prometheus cannot be asked."""
    parser = argparse.ArgumentParser(prog="slipway_dashboards.check", description=__doc__)
    parser.add_argument("--prometheus", required=True, help="address, such as http://host:9090")
    parser.add_argument(
        "--fed-by",
        default="",
        help=f"runs ({', '.join(RUNS)}) or feeds, with commas, that must have made their data",
    )
    parser.add_argument("--since", type=float, default=3600, help="seconds to look back")
    parser.add_argument("--window", default="1m", help="window of rates: four scrapes at least")
    told = parser.parse_args(arguments)
    try:
        feeds = feeds_of(told.fed_by) if told.fed_by else frozenset[Feed]()
        report = checked(told.prometheus, feeds, since=told.since, window=told.window)
    except (ValueError, Unreachable) as error:
        print(f"slipway_dashboards.check: {error}", file=sys.stderr)
        return 2
    print("\n".join(report.lines()))
    return int(not report.passed)


if __name__ == "__main__":
    sys.exit(main())
