"""The last copies on disk of what PostgreSQL said, for a start without it.

Written whole or not at all, readable by this user only. A copy that cannot be written or read is
a line in the process's log, never a reason to stop serving.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import orjson

logger = logging.getLogger(__name__)


def save_copy(path: Path, value: Any) -> None:
    """Replace the copy. Blocking: call it in a thread."""
    fresh = path.with_suffix(".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(value))
        fresh.replace(path)
    except OSError as error:
        logger.error("the copy %s cannot be written: %s", path.name, error)


def load_copy(path: Path) -> Any:
    """The copy, or None without a readable one."""
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.error("the copy %s cannot be read: %s", path.name, error)
        return None
