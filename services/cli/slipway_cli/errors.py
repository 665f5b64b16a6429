"""The errors of the command and the exit codes that scripts may rely on.

CliError                 1  the command ran and failed
├── InvalidInput         2  a manifest, a flag or a name that cannot be used
├── NotRunning           3  nothing listens: `slipway up` has not run
├── OutOfReach           3  it is in the platform's PostgreSQL, and this is a cluster from outside
├── NotFound             4  no such object, version, run or key
├── Conflict             5  the object's state does not allow it, or someone else changed it
└── TimedOut             6  `wait` and `delete` gave up waiting

Messages name the field or the object, and the next command.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; 130 is the shell's own convention for Ctrl-C."""

    OK = 0
    FAILED = 1
    INVALID = 2
    NOT_RUNNING = 3
    NOT_FOUND = 4
    CONFLICT = 5
    TIMED_OUT = 6
    INTERRUPTED = 130


class CliError(Exception):
    """Base of what a verb raises on purpose; printed as one line, never as a traceback."""

    exit_code = ExitCode.FAILED


class InvalidInput(CliError):
    """The person's input is wrong; nothing was applied."""

    exit_code = ExitCode.INVALID


class NotRunning(CliError):
    """PostgreSQL or the gateway of this home is not up."""

    exit_code = ExitCode.NOT_RUNNING


class OutOfReach(CliError):
    """What only PostgreSQL has, asked of a cluster from outside."""

    exit_code = ExitCode.NOT_RUNNING


class NotFound(CliError):
    """The named thing does not exist."""

    exit_code = ExitCode.NOT_FOUND


class Conflict(CliError):
    """The state of the object does not allow it."""

    exit_code = ExitCode.CONFLICT


class TimedOut(CliError):
    """A wait ended without what it waited for."""

    exit_code = ExitCode.TIMED_OUT
