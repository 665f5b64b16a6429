"""Structured logs: one JSON object a line on stderr. Never questions, answers, keys or secrets."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_FIELDS = ("model", "version", "request_id", "step")


class JsonLines(logging.Formatter):
    """time, level, logger, message, the stable keys that were given, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logs(level: int = logging.INFO) -> None:
    """For this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It tells every retry; the worker tells what matters of them.
    logging.getLogger("pgqueuer").setLevel(logging.WARNING)
