"""Calling other programs: one way to run them, one way for them to fail.

Output goes to a log file where a program talks for minutes; the end of it becomes the error.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import CommandFailed

LAST_LINES = 25


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Standard output of ``argv``. Raises CommandFailed with the end of what it wrote.

    With ``log`` both outputs go to that file and the result is empty.
    """
    words = [str(word) for word in argv]
    try:
        if log is None:
            done = subprocess.run(
                words, capture_output=True, text=True, env=environment, check=False
            )
            said = done.stderr or done.stdout
        else:
            with log.open("w+") as sink:
                done = subprocess.run(
                    words, stdout=sink, stderr=sink, text=True, env=environment, check=False
                )
            said = log.read_text(errors="replace") if done.returncode else ""
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed (see docs/images.md)") from error
    if done.returncode:
        end = "\n".join(said.splitlines()[-LAST_LINES:])
        where = f" (all of it: {log})" if log else ""
        raise CommandFailed(f"{shlex.join(words)} failed{where}:\n{end}")
    return "" if log else done.stdout


def succeeds(argv: Sequence[str | Path]) -> bool:
    """Whether ``argv`` exists and exits with 0."""
    try:
        run(argv)
    except CommandFailed:
        return False
    return True
