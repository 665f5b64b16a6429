"""The one YAML file a person writes: each verb reads its own section.

version: v1
training: {method: scratch, architecture: tiny-llama, data: {sources: [bundled:jargon]}}
base: {uri: file:///models/v0, digest: sha256:…}      # for method full or lora
import: {random: {architecture: tiny-llama}}          # or artifact, or adapter
evaluation: {candidate: {…}, baseline: {…}, suites: […]}
export: {artifact: {uri: …, digest: …}, formats: [onnx, torchscript]}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.base import Spec
from slipway_contracts.evaluation import Suite
from slipway_contracts.model_version import ArtifactSource, RandomSource
from slipway_contracts.run import (
    AdapterImport,
    EvaluateRun,
    EvaluationTarget,
    ImportRun,
    TrainRun,
)
from slipway_contracts.training import Training
from slipway_training.artifacts import reference
from slipway_training.corpus import local_path
from slipway_training.errors import ConfigInvalid, describe
from slipway_training.export import Export

ARTIFACT = "artifact"


class ImportSection(Spec):
    """Exactly one of the three."""

    artifact: ArtifactSource | None = None
    adapter: AdapterImport | None = None
    random: RandomSource | None = None


class EvaluationSection(Spec):
    """What ``evaluate`` measures."""

    candidate: EvaluationTarget
    baseline: EvaluationTarget | None = None
    suites: tuple[Suite, ...] = Field(min_length=1)


class RunConfig(Spec):
    """The file."""

    version: str = "local"
    training: Training | None = None
    base: ArtifactRef | None = None
    import_: ImportSection | None = Field(default=None, alias="import")
    evaluation: EvaluationSection | None = None
    export: Export | None = None


def read_config(path: Path) -> RunConfig:
    """Parse and check the file; ConfigInvalid names every wrong field."""
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigInvalid(f"--config {path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigInvalid(f"{path} is not YAML: {error}") from error
    try:
        return RunConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigInvalid(f"{path} is not valid:\n{describe(error)}") from error


def train_run(config: RunConfig, output: Path, overrides: dict[str, Any]) -> TrainRun:
    """The ``training`` section with the command line's values over it."""
    if config.training is None:
        raise _missing("training")
    try:
        training = Training.model_validate({**config.training.model_dump(), **overrides})
    except ValidationError as error:
        raise ConfigInvalid(f"command line:\n{describe(error)}") from error
    return TrainRun(
        version=config.version,
        artifact_dir=str(output.absolute() / ARTIFACT),
        training=training,
        base=_base(config, training),
    )


def import_run(config: RunConfig, output: Path) -> ImportRun:
    """The ``import`` section."""
    if config.import_ is None:
        raise _missing("import")
    return ImportRun(
        version=config.version,
        artifact_dir=str(output.absolute() / ARTIFACT),
        artifact=config.import_.artifact,
        adapter=config.import_.adapter,
        random=config.import_.random,
    )


def evaluate_run(config: RunConfig) -> EvaluateRun:
    """The ``evaluation`` section."""
    section = config.evaluation
    if section is None:
        raise _missing("evaluation")
    return EvaluateRun(
        candidate=section.candidate, baseline=section.baseline, suites=section.suites
    )


def export_order(config: RunConfig) -> Export:
    """The ``export`` section."""
    if config.export is None:
        raise _missing("export")
    return config.export


def _base(config: RunConfig, training: Training) -> ArtifactRef | None:
    """``base`` as written, or the artifact that lies at ``training.base.uri`` now."""
    if config.base is None and training.base is not None and training.base.uri is not None:
        return reference(local_path(training.base.uri, field="training.base.uri"))
    return config.base


def _missing(section: str) -> ConfigInvalid:
    return ConfigInvalid(f"the config has no section {section!r}; add it for this verb")
