"""Local mode's runs as folders: where a version's are, and the progress that its training wrote.

``runs/<model>/<run>/``, written by the controller; a run's name carries the attempt's hash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from slipway_contracts.model_version import ModelVersion
from slipway_contracts.names import child_name
from slipway_contracts.run import PROGRESS_FILE, Progress

# Enough for a curve; a run that wrote more is thinned by whoever draws it.
MAX_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class RunFolders:
    """``ProgressReader`` over ``home/runs``."""

    runs: Path

    async def progress(self, version: ModelVersion) -> Sequence[Progress]:
        """Of the run that made the artifact, whichever attempt that was; unreadable lines skip."""
        return await asyncio.to_thread(self._read, version)

    def _read(self, version: ModelVersion) -> list[Progress]:
        training = version.status.training
        status, metadata = version.status, version.metadata
        name = training.run if training is not None and training.run else None
        name = name or child_name(metadata.name, metadata.uid, status.attempt, "train")
        # The name comes from a status: it must not lead out of the folder.
        path = self.runs / Path(version.spec.model).name / Path(name).name / PROGRESS_FILE
        try:
            with path.open("rb") as file:
                return [p for line in file.readlines(MAX_BYTES) if (p := _parsed(line))]
        except OSError:
            return []


def _parsed(line: bytes) -> Progress | None:
    try:
        return Progress.model_validate_json(line)
    except ValidationError:
        return None
