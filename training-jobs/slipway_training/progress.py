"""Progress as JSON lines in ``progress.jsonl`` and in the run's log, readable while it goes on.

Whoever cannot read the file asks for a report: the same lines on a stream, marked as such.
"""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Literal, TextIO

from slipway_contracts.run import PROGRESS_FILE, PROGRESS_MARK, Progress

logger = logging.getLogger(__name__)

Event = Literal["start", "step", "evaluation", "checkpoint", "end"]


class ProgressLog:
    """Appends lines; a torn last line of a killed run is ended first, so that readers skip it."""

    def __init__(self, work: Path, *, report: TextIO | None = None) -> None:
        self._path = work / PROGRESS_FILE
        self._report = report
        if self._path.exists() and not self._path.read_bytes().endswith(b"\n"):
            self._append("\n")

    def write(
        self,
        event: Event,
        *,
        step: int = 0,
        max_steps: int = 0,
        loss: float | None = None,
        eval_loss: float | None = None,
        tokens_per_second: float | None = None,
        eta_seconds: float | None = None,
    ) -> None:
        """One line; figures that are no numbers are left out."""
        line = Progress(
            at=round(time.time(), 3),
            event=event,
            step=step,
            max_steps=max_steps,
            loss=_finite(loss),
            eval_loss=_finite(eval_loss),
            tokens_per_second=_finite(tokens_per_second),
            eta_seconds=_finite(eta_seconds),
        )
        text = line.model_dump_json(by_alias=True, exclude_none=True) + "\n"
        self._append(text)
        if self._report is None:
            figures = line.model_dump(exclude={"at", "event", "step"}, exclude_none=True)
            logger.info("%s", event, extra={"step": step, **figures})
            return
        self._report.write(f"{PROGRESS_MARK} {text}")
        self._report.flush()

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(text)


def _finite(value: float | None) -> float | None:
    return round(value, 5) if value is not None and math.isfinite(value) else None
