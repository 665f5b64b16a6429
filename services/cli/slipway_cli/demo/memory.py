"""Peak memory of everything that the platform started, as PSS: shared pages are counted once.

A process is ours when its environment or arguments carry one of the marks (the home, Ray's own
folder), when we are told its pid, or when it descends from one that is ours: daemons that left the
tree are found by the mark, workers that rewrote their environment by their parents.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
INTERVAL_SECONDS = 5.0
# Reading PSS walks page tables; at most this share of one core goes into it.
COST_SHARE = 0.02


def family(parents: Mapping[int, int], ours: Iterable[int]) -> set[int]:
    """``ours`` and all their descendants; ``parents`` maps pid → parent's pid."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    found: set[int] = set()
    left = list(ours)
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children[pid]
    return found


def parse_pss(text: str) -> int:
    """``smaps_rollup`` → bytes of PSS."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(slots=True, kw_only=True)
class MemorySampler:
    """Call ``sample`` now and then, or let ``run`` do it; ``peak_bytes`` is the highest sum."""

    marks: Sequence[str]
    roots: Sequence[int] = ()
    peak_bytes: int = 0
    _marked: dict[tuple[int, str], bool] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled. Reading happens in a thread, so that nothing waits for it."""
        while True:
            began = time.monotonic()
            await asyncio.to_thread(self.sample)
            cost = time.monotonic() - began
            await asyncio.sleep(max(INTERVAL_SECONDS, cost / COST_SHARE))

    def sample(self) -> int:
        """The present sum in bytes. Processes that end meanwhile count for nothing."""
        parents: dict[int, int] = {}
        ours = set(self.roots)
        for entry in PROC.iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError, ValueError):
                pid = int(entry.name)
                parents[pid], started = _parent_and_start(entry)
                if self._is_marked(entry, (pid, started)):
                    ours.add(pid)
        total = sum(_pss(pid) for pid in family(parents, ours))
        self.peak_bytes = max(self.peak_bytes, total)
        return total

    def _is_marked(self, entry: Path, identity: tuple[int, str]) -> bool:
        known = self._marked.get(identity)
        if known is None:
            text = _read(entry / "environ") + b"\0" + _read(entry / "cmdline")
            known = any(mark.encode() in text for mark in self.marks)
            self._marked[identity] = known
        return known


def _parent_and_start(entry: Path) -> tuple[int, str]:
    """The name in parentheses may hold anything, so fields are counted from its end."""
    fields = (entry / "stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), fields[19]


def _pss(pid: int) -> int:
    with suppress(OSError):
        return parse_pss((PROC / str(pid) / "smaps_rollup").read_text())
    return 0


def _read(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""
