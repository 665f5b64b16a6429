"""A run's artifact into the object store, where the run is to publish there.

Before the work the address is looked at and marked, so that wrong credentials cost seconds, not a
training. After it the finished folder is sent; killed meanwhile, the next start sends the rest. An
artifact that is whole at its address is the run's result, however often the run is started.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway_artifacts.access import read_access
from slipway_artifacts.address import parse_address
from slipway_artifacts.errors import Missing, StoreError, Unreachable
from slipway_artifacts.fetch import read_manifest
from slipway_artifacts.publish import mark, publish
from slipway_contracts.artifact import ArtifactRef, ArtifactRefused
from slipway_contracts.run import EvaluateRun, ImportRun, RunResult, TrainRun
from slipway_training.errors import ConfigInvalid, SourceRefused, StoreFailed
from slipway_training.stop import StopFlag


@contextmanager
def telling_apart() -> Iterator[None]:
    """An unreachable store may come back; everything else that a read finds stays as it is."""
    try:
        yield
    except Unreachable as error:
        raise StoreFailed(str(error)) from error
    except StoreError as error:
        raise ConfigInvalid(str(error)) from error
    except ArtifactRefused as error:
        raise SourceRefused(str(error)) from error


def address_of(spec: TrainRun | ImportRun | EvaluateRun) -> str | None:
    """Where the run's artifact is to go; None where it stays on disk."""
    return None if isinstance(spec, EvaluateRun) else spec.publish_to


def shipped(spec: TrainRun | ImportRun | EvaluateRun) -> RunResult | None:
    """The result of a run whose artifact is whole at its address."""
    uri = address_of(spec)
    if uri is None:
        return None
    with telling_apart():
        try:
            digest, manifest = read_manifest(uri, read_access())
        except Missing:
            return None
        ref = ArtifactRef(uri=parse_address(uri).uri(), digest=digest)
    return RunResult(artifact=ref, lineage=manifest.lineage, metrics=manifest.metrics)


def reserve(spec: TrainRun | ImportRun | EvaluateRun) -> None:
    """Refuse an address that cannot be written to before the work is done."""
    uri = address_of(spec)
    if uri is not None:
        with telling_apart():
            mark(uri, read_access())


def ship(spec: TrainRun | ImportRun | EvaluateRun, result: RunResult, stop: StopFlag) -> RunResult:
    """The result with the artifact at its address; raises Interrupted between two files."""
    uri, artifact = address_of(spec), result.artifact
    if uri is None or artifact is None or artifact.uri == parse_address(uri).uri():
        return result
    folder = _folder(spec)
    try:
        ref = publish(folder, uri, read_access(), digest=artifact.digest, before_each=stop.check)
    except (StoreError, ArtifactRefused) as error:
        # The folder stays: when the store takes it, the next start sends it without the work.
        raise StoreFailed(f"the artifact is made, but not published: {error}") from error
    return result.model_copy(update={"artifact": ref})


def discard(spec: TrainRun | ImportRun | EvaluateRun) -> None:
    """The folder goes once the result that names the store is stored."""
    if address_of(spec) is not None:
        shutil.rmtree(_folder(spec), ignore_errors=True)


def _folder(spec: TrainRun | ImportRun | EvaluateRun) -> Path:
    assert not isinstance(spec, EvaluateRun)
    return Path(spec.artifact_dir)
