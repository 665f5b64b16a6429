"""The ``slipway`` command: puts the verbs together and turns errors into lines and exit codes.

Exit codes: 0 ok, 1 failed, 2 wrong input, 3 not running, 4 not found, 5 conflict, 6 timed out,
130 interrupted (``errors.ExitCode``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from slipway_cli.cluster.target import ClusterTarget
from slipway_cli.errors import CliError, ExitCode, InvalidInput
from slipway_cli.shell import Shell, shell_of
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
    report,
    rollout,
    status,
    tenants,
    top,
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
    status,
    top,
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
    report,
    delete,
    keys,
    tenants,
    usage,
    jobs,
)
# Verbs that are about processes of this machine, and what to do in a cluster instead.
LOCAL_VERBS = {
    "up": "a cluster gets Slipway by its chart",
    "down": "a cluster loses Slipway by helm uninstall",
    "doctor": "see the cluster with: slipway status",
    "logs": "read a pod's log with kubectl logs",
    "chat": "ask the cluster's gateway with curl",
}


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
    app.callback()(choose)
    for verb in VERBS:
        verb.register(app)
    return app


def choose(
    ctx: typer.Context,
    context: Annotated[
        str | None, typer.Option(help="A cluster, by the kubeconfig's context (SLIPWAY_CONTEXT).")
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Its kubeconfig (SLIPWAY_KUBECONFIG, KUBECONFIG).")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Of the cluster (SLIPWAY_NAMESPACE, the context's own).")
    ] = None,
) -> None:
    """From data to production traffic: train, evaluate, serve, canary, promote, roll back."""
    given = {"context": context, "kubeconfig": kubeconfig, "namespace": namespace}
    said = {name: value for name, value in given.items() if value is not None}
    target = ClusterTarget().model_copy(update=said)
    if not target.chosen:
        if namespace is not None:
            raise InvalidInput("--namespace is a cluster's; give --context NAME with it")
        return
    verb = ctx.invoked_subcommand
    if verb in LOCAL_VERBS:
        raise InvalidInput(
            f"{verb} is for local mode, and {target} is chosen; {LOCAL_VERBS[verb]}, or unset "
            "SLIPWAY_CONTEXT and SLIPWAY_KUBECONFIG"
        )
    ctx.obj = shell_of(ctx).at(target)


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
