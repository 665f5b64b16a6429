"""The command line: ``python3 deploy/cluster tools [NAME…]``.

It prints one line a step on standard error; an error is one line that says what to do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import cache, tools
from .errors import ClusterError
from .versions import SETS


def parser() -> argparse.ArgumentParser:
    """The surface, frozen by a test."""
    made = argparse.ArgumentParser(prog="slipway_cluster", description="a cluster for tests")
    commands = made.add_subparsers(dest="command", required=True)
    build = commands.add_parser("tools", help="build the tools that are missing")
    build.add_argument(
        "names", nargs="*", default=["all"], help=f"tools or sets ({', '.join(SETS)}); default: all"
    )
    return made


def say(line: str) -> None:
    """One step, for the person who waits."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 after one line that says what is wrong."""
    options = parser().parse_args(arguments)
    folders = cache.folders()
    try:
        tools.build(folders, options.names, say=say)
        say(f"tools are in {folders.binaries}")
    except ClusterError as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
