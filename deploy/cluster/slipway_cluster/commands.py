"""Runs a program of the machine and turns a failure into one readable error."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .errors import ClusterError


def run(
    *argv: str | Path, text: str | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Its standard output; ClusterError with the end of what it complained about."""
    try:
        done = subprocess.run(
            list(map(str, argv)),
            input=text,
            text=True,
            capture_output=True,
            check=False,
            env=None if environment is None else {**os.environ, **environment},
        )
    except FileNotFoundError:
        raise ClusterError(f"{argv[0]} is not on PATH; install it, then try again") from None
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise ClusterError(f"{' '.join(map(str, argv[:6]))} failed ({done.returncode}): {said}")
    return done.stdout


def tried(*argv: str | Path) -> str:
    """Its standard output, empty where it failed: for looking and for clearing away."""
    try:
        return run(*argv)
    except ClusterError:
        return ""
