"""Where output goes: results to stdout, everything else to stderr; colour and spinners on a TTY.

Plain ``print`` semantics for results: rich's markup, wrapping and highlighting are off, so that a
pipe gets exactly what was rendered.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.text import Text

# Wider than any line that is drawn.
PIPE_WIDTH = 400
PHASE_STYLES = {
    "Serving": "green",
    "Canary": "cyan",
    "Shadowing": "cyan",
    "Promoting": "cyan",
    "Failed": "red",
    "Rejected": "red",
    "RolledBack": "red",
    "RollingBack": "red",
    "Paused": "yellow",
    "AwaitingApproval": "yellow",
}


def _stdout() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """The two streams of one invocation."""

    out: Console = field(default_factory=_stdout)
    err: Console = field(default_factory=_stderr)

    @property
    def interactive(self) -> bool:
        """A person watches stderr."""
        return self.err.is_terminal

    def print(self, text: str = "", *, end: str = "\n") -> None:
        """A result. Phases are coloured on a TTY."""
        line = Text(text)
        for phase, style in PHASE_STYLES.items():
            line.highlight_words([phase], style=style)
        self.out.print(line, end=end)

    def draw(self, what: RenderableType) -> None:
        """A result in tables; never wrapped to a width that a pipe does not have."""
        if self.out.is_terminal:
            self.out.print(what, soft_wrap=False)
            return
        wide = Console(width=PIPE_WIDTH, file=io.StringIO(), highlight=False, color_system=None)
        with wide.capture() as captured:
            wide.print(what)
        for line in captured.get().splitlines():
            self.out.print(line.rstrip())

    def note(self, text: str) -> None:
        """For the person, not for the pipe."""
        self.err.print(text, style="dim" if self.interactive else None)

    def fail(self, text: str) -> None:
        """An error: one line a problem."""
        self.err.print(Text.assemble(("error: ", "bold red"), text))

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """A spinner for what takes over a second; nothing where nobody watches."""
        if not self.interactive:
            yield
            return
        with self.err.status(text):
            yield
