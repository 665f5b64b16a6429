"""The ``slipway`` command: puts the verbs together and turns errors into lines and exit codes.

Exit codes: 0 ok, 1 failed, 2 wrong input, 3 not running, 4 not found, 5 conflict, 6 timed out,
130 interrupted (``errors.ExitCode``).
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from slipway_cli.errors import CliError, ExitCode
from slipway_cli.shell import Shell
from slipway_cli.verbs import (
    apply,
    chat,
    delete,
    describe,
    events,
    get,
    jobs,
    keys,
    lifecycle,
    logs,
    rollout,
    tenants,
    up,
    usage,
    wait,
    watch,
)

EPILOG = (
    "Exit codes: 0 ok, 1 failed, 2 wrong input, 3 not running, 4 not found, 5 conflict, "
    "6 timed out, 130 interrupted."
)
# In the order of the help: run it, change it, look at it, steer it.
VERBS = (
    up,
    apply,
    get,
    describe,
    watch,
    wait,
    logs,
    events,
    chat,
    lifecycle,
    rollout,
    delete,
    keys,
    tenants,
    usage,
    jobs,
)


def build_app() -> typer.Typer:
    """The command with every verb registered."""
    app = typer.Typer(
        name="slipway",
        help="From data to production traffic: train, evaluate, serve, canary, promote, roll back.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in VERBS:
        verb.register(app)
    return app


def main(arguments: Sequence[str] | None = None, *, shell: Shell | None = None) -> int:
    """Run one command line (default: the process's) and return its exit code."""
    shell = shell or Shell()
    try:
        build_app()(args=arguments, prog_name="slipway", obj=shell)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitCode.FAILED
    except CliError as error:
        shell.terminal.fail(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our pipe went away (`slipway get mv | head`): not an error of ours.
        return ExitCode.OK
    return ExitCode.OK
