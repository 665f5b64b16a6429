"""Structured logs: one JSON object a line with stable keys, never prompts, keys or secrets."""

from __future__ import annotations

import json
import logging
import sys

KEYS = ("model", "version", "request_id", "step", "error")


class JsonFormatter(logging.Formatter):
    """Record → one line."""

    def format(self, record: logging.LogRecord) -> str:
        body = {
            "at": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        body |= {key: str(getattr(record, key)) for key in KEYS if hasattr(record, key)}
        if record.exc_info:
            body["traceback"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False)


def configure() -> None:
    """Everything to standard output, from INFO."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Kopf tells every login, and that it takes no signals in its thread, as it should not.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
