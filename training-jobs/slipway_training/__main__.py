"""The command line: ``run`` for platforms, four verbs for people; a run's composition root.

Exit codes: 0 done; 1 failed; 75 stopped by a signal, start again to resume; 77 out of memory; 78
the config or the data is wrong.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slipway_contracts.run import EvaluateRun, ImportRun, RunResult, TrainRun
from slipway_telemetry.line import Service
from slipway_telemetry.logs import bind, configure_logs
from slipway_training.environment import read_environment
from slipway_training.errors import ConfigInvalid, Interrupted, TrainingFailure
from slipway_training.report import Report
from slipway_training.run import execute, parse_spec
from slipway_training.stop import StopFlag

logger = logging.getLogger("slipway_training")

# Flags that override the file: the names that users of train_distributed.py know.
_OVERRIDES = ("mode", "bf16", "batch_size", "gradient_accumulation", "tracking")


def process() -> int:
    """``main`` with lines of a log for what is told on the way."""
    configure_logs(Service.TRAINING)
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    stop = StopFlag()
    stop.install()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    try:
        if options.verb == "export":
            return _export(options)
        return _run(options, given, stop)
    except TrainingFailure as error:
        if options.verb == "run":
            logger.error("the run ends: %s", error, extra={"exit_code": error.exit_code})
        else:
            print(f"slipway-training: {error}", file=sys.stderr)
        return error.exit_code


def _run(options: argparse.Namespace, given: Sequence[str], stop: StopFlag) -> int:
    spec, here = _spec(options), read_environment()
    bind(version=spec.candidate.version if isinstance(spec, EvaluateRun) else spec.version)
    processes = options.processes or processes_of(spec)
    if processes > 0 and not here.launched:
        from slipway_training.launch import launch, meeting

        _check_nodes(spec, here.group.nodes)
        return launch(given, meeting(here.group, processes))
    stream = sys.stdout if options.report else None
    report = Report(stream=stream, file=options.result_file) if here.is_first else Report()
    try:
        result = execute(spec, options.work, stop, dry_run=options.dry_run, report=stream)
    except Interrupted:
        raise
    except TrainingFailure as error:
        report.ended(RunResult(error=str(error)))
        raise
    if stream is None and options.verb != "run":
        print(result.model_dump_json(by_alias=True, exclude_none=True, indent=1))
    report.ended(result)
    return 0


def _check_nodes(spec: TrainRun | ImportRun | EvaluateRun, nodes: int) -> None:
    wanted = spec.training.nodes if isinstance(spec, TrainRun) else 1
    if nodes != wanted:
        raise ConfigInvalid(
            f"training.nodes is {wanted}, and this run was started on {nodes}; set "
            f"training.nodes: {nodes}, or start it where several machines can be had"
        )


def processes_of(spec: TrainRun | ImportRun | EvaluateRun) -> int:
    """How many processes must be launched for ``spec``; 0: this one does it alone.

    A process a GPU that the run asks for; the sharded modes want a group even of one, and so do
    several machines.
    """
    if not isinstance(spec, TrainRun):
        return 0
    training = spec.training
    if training.nodes > 1:
        return max(1, training.resources.gpu)
    gpus = training.resources.gpu
    return gpus if gpus > 1 or training.mode != "baseline" else 0


def _export(options: argparse.Namespace) -> int:
    from slipway_training.config import export_order, read_config
    from slipway_training.export import export

    report = export(export_order(read_config(options.config)), options.output)
    print(report.model_dump_json(by_alias=True, indent=1))
    return 0


def _spec(options: argparse.Namespace) -> TrainRun | ImportRun | EvaluateRun:
    if options.verb == "run":
        try:
            return parse_spec(options.spec.read_bytes())
        except OSError as error:
            message = f"--spec {options.spec} cannot be read: {error.strerror}"
            raise ConfigInvalid(message) from error
    from slipway_training.config import evaluate_run, import_run, read_config, train_run

    config = read_config(options.config)
    match options.verb:
        case "train":
            return train_run(config, options.work, _overrides(options, config.training))
        case "import":
            return import_run(config, options.work)
        case _:
            return evaluate_run(config)


def _overrides(options: argparse.Namespace, training: Any) -> dict[str, Any]:
    given = {name: getattr(options, name, None) for name in _OVERRIDES}
    if options.run_name and training is not None:
        given["tracking"] = {**training.tracking.model_dump(), "run_name": options.run_name}
    return {name: value for name, value in given.items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipway-training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="carry out one RunSpec (what a platform calls)")
    run.add_argument("--spec", type=Path, required=True, help="RunSpec as JSON")
    run.add_argument("--work", type=Path, required=True, help="the run's own folder")
    run.add_argument("--report", choices=("stdout",), help="progress and result as marked lines")
    run.add_argument("--result-file", type=Path, help="gets the result where it is small")
    train = verbs.add_parser("train", help="train and write DIR/artifact; resumes by default")
    evaluate = verbs.add_parser("evaluate", help="measure the suites; report in DIR/result.json")
    imported = verbs.add_parser("import", help="make DIR/artifact from ready-made weights")
    export = verbs.add_parser("export", help="write ONNX or TorchScript with a parity report")
    for verb in (train, evaluate, imported):
        verb.add_argument("--config", type=Path, required=True, help="the run's YAML file")
        verb.add_argument("--output", type=Path, required=True, metavar="DIR", dest="work")
    export.add_argument("--config", type=Path, required=True, help="the run's YAML file")
    export.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder")
    train.add_argument("--mode", choices=("baseline", "fsdp", "deepspeed"))
    train.add_argument("--bf16", choices=("auto", "on", "off"))
    train.add_argument("--batch-size", type=int)
    train.add_argument("--grad-accum", type=int, dest="gradient_accumulation")
    train.add_argument("--run-name", help="the run's name at the experiment trackers")
    for verb in (run, train):
        verb.add_argument("--dry-run", action="store_true", help="one batch, no artifact")
        verb.add_argument(
            "--processes",
            type=int,
            default=0,
            help="a process a device (0: as training.resources.gpu asks)",
        )
    for verb in (run, train, evaluate, imported, export):
        verb.add_argument("--threads", type=int, default=0, help="torch threads (torch decides)")
        verb.set_defaults(dry_run=False, processes=0, run_name=None, report=None, result_file=None)
    return parser


if __name__ == "__main__":
    sys.exit(process())
