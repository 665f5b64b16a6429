"""Which of a run's checkpoints may be resumed from.

The Trainer writes a checkpoint file by file, so a killed run can leave half of one. A seal is
written after everything else is on disk; a folder without a seal never counts and is removed.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from slipway_training.files import sync_tree, write_atomically

FOLDER = "checkpoints"
SEAL = "sealed"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(checkpoint: Path) -> None:
    """Declare ``checkpoint`` complete, after its bytes have reached the disk."""
    sync_tree(checkpoint)
    write_atomically(checkpoint / SEAL, b"")


def latest(folder: Path) -> Path | None:
    """The sealed checkpoint with the highest step; unsealed ones are deleted."""
    best: tuple[int, Path] | None = None
    for path in folder.glob("checkpoint-*"):
        match = _NAME.fullmatch(path.name)
        if match is None or not (path / SEAL).exists():
            shutil.rmtree(path, ignore_errors=True)
        elif best is None or int(match[1]) > best[0]:
            best = int(match[1]), path
    return best[1] if best else None
