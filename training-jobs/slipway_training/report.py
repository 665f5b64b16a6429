"""What a run says to a platform that cannot read its folder: marked lines, and a small file.

Progress goes out by ``progress.ProgressLog`` as it happens; here is the end. Knows streams and
files, not who reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from slipway_contracts.run import RESULT_FILE_LIMIT, RESULT_MARK, RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``stream`` None: nobody asked for lines. ``file`` None: nobody asked for the file."""

    stream: TextIO | None = None
    file: Path | None = None

    def ended(self, result: RunResult) -> None:
        """Tell the result, once. One that is too large for the file is on the stream alone."""
        text = result.model_dump_json(by_alias=True, exclude_none=True)
        if self.stream is not None:
            self.stream.write(f"{RESULT_MARK} {text}\n")
            self.stream.flush()
        if self.file is not None and len(text.encode()) <= RESULT_FILE_LIMIT:
            # Not renamed into place: the file may be a mount of its own.
            self.file.write_text(text)
