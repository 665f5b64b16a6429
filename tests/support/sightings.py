"""When objects of a namespace were first seen in a state: ``kubectl get -w``, timed as it arrives.

Kubernetes' own timestamps have whole seconds; what is measured here is a part of one.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

Body = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """(kind, unix seconds of its arrival, body), in the order of arrival."""

    lines: list[tuple[str, float, Body]] = field(default_factory=list)

    def first(self, kind: str, which: Callable[[Body], bool]) -> float | None:
        """When such an object first arrived."""
        return next((at for k, at, body in list(self.lines) if k == kind and which(body)), None)


@contextmanager
def seeing(namespace: str, *kinds: str) -> Iterator[Seen]:
    """Watch these kinds until the block ends."""
    seen = Seen()
    watches = []
    for kind in kinds:
        watch = subprocess.Popen(
            ["kubectl", "-n", namespace, "get", kind, "--watch", "--output", "json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watch.stdout is not None
        reader = threading.Thread(target=_read, args=(kind, watch.stdout, seen), daemon=True)
        reader.start()
        watches.append((watch, reader))
    try:
        yield seen
    finally:
        for watch, reader in watches:
            watch.terminate()
            reader.join()
            watch.communicate()


def _read(kind: str, stream: TextIO, seen: Seen) -> None:
    """One JSON document after the other, each ending with a brace in the first column."""
    text: list[str] = []
    for line in stream:
        text.append(line)
        if line.startswith("}"):
            seen.lines.append((kind, time.time(), json.loads("".join(text))))
            text = []
