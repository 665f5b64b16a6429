"""The command line: ``run`` for platforms; the composition root of a run's process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from slipway_training.errors import ConfigInvalid, TrainingFailure
from slipway_training.run import execute, parse_spec
from slipway_training.stop import StopFlag


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (0, 1, 75, 77 or 78: see errors.py)."""
    options = _parser().parse_args(arguments)
    stop = StopFlag()
    stop.install()
    try:
        if options.threads:
            import torch

            torch.set_num_threads(options.threads)
        return _run(options, stop)
    except TrainingFailure as error:
        print(f"slipway-training: {error}", file=sys.stderr)
        return error.exit_code


def _run(options: argparse.Namespace, stop: StopFlag) -> int:
    try:
        text = options.spec.read_bytes()
    except OSError as error:
        raise ConfigInvalid(f"--spec {options.spec} cannot be read: {error.strerror}") from error
    result = execute(parse_spec(text), options.work, stop, dry_run=options.dry_run)
    print(result.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slipway-training", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="carry out one RunSpec (what a platform calls)")
    run.add_argument("--spec", type=Path, required=True, help="RunSpec as JSON")
    run.add_argument("--work", type=Path, required=True, help="the run's own folder")
    run.add_argument("--dry-run", action="store_true", help="one batch, no artifact")
    run.add_argument("--threads", type=int, default=0, help="torch threads (0: torch decides)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
