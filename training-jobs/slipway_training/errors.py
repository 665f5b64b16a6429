"""The package's error tree; every message names the field or file and the fix.

TrainingFailure            exit 1   the machinery broke; a restart may help
├── ConfigInvalid          exit 78  the config or the data is wrong; a restart will not help
│   └── SourceRefused      exit 78  what was to be imported may not become an artifact
├── OutOfMemory            exit 77  names the remedy
├── Interrupted            exit 75  SIGTERM: progress is on disk, start again to resume
├── StoreFailed            exit 1   the object store does not take or give an artifact
├── Diverged               exit 1   the loss is no number any more
└── ParityFailed           exit 1   an exported model does not answer as its source does
"""

from __future__ import annotations

from pydantic import ValidationError

from slipway_contracts.training import EXIT_CHECKPOINTED, EXIT_INVALID, EXIT_OUT_OF_MEMORY


class TrainingFailure(Exception):
    """Base of everything this package raises on purpose."""

    exit_code = 1


class ConfigInvalid(TrainingFailure):
    """The run's config or data is wrong."""

    exit_code = EXIT_INVALID


class SourceRefused(ConfigInvalid):
    """The files to import are unsafe, incomplete or of another architecture."""


class OutOfMemory(TrainingFailure):
    """The device or the machine has too little memory for this config."""

    exit_code = EXIT_OUT_OF_MEMORY


class Interrupted(TrainingFailure):
    """The run was asked to stop and may be started again."""

    exit_code = EXIT_CHECKPOINTED


class StoreFailed(TrainingFailure):
    """The object store did not answer, or refused what may be put right without a new run."""


class Diverged(TrainingFailure):
    """The loss became NaN or infinite."""


class ParityFailed(TrainingFailure):
    """The exported model's answers differ from the source model's."""


def one_of(field: str, given: str, valid: list[str]) -> ConfigInvalid:
    """``ConfigInvalid`` that lists what ``field`` may be."""
    return ConfigInvalid(f"{field} is {given!r}; valid are: {', '.join(sorted(valid))}")


def describe(error: ValidationError) -> str:
    """One line a wrong field: its path in the file and what is wrong with it."""
    return "\n".join(
        f"  {'.'.join(str(part) for part in item['loc']) or 'spec'}: {item['msg']}"
        for item in error.errors(include_url=False)
    )
