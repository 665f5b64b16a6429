"""What a process wrote, checked line by line against the schema that is in the documentation.

Whoever starts processes in tests calls ``check_log`` when one has ended, so every line that any
test makes a process write is looked at.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMA = Path(__file__).parents[2] / "docs" / "logs.schema.json"


@cache
def validator() -> Any:
    """Of one line."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def wrong_with(line: Any) -> list[str]:
    """What the schema has against it."""
    return [f"{error.instance_path}: {error.message}" for error in validator().iter_errors(line)]


def check_log(log: Path, *, service: str) -> list[dict[str, Any]]:
    """Every whole line is as the schema wants it and of ``service``; gives them.

    The last one may be torn: its process may have been killed.
    """
    written = log.read_bytes() if log.exists() else b""
    whole, _, _torn = written.rpartition(b"\n")
    found = []
    for text in whole.decode("utf-8", "strict").split("\n") if whole else ():
        try:
            line = json.loads(text)
        except ValueError:
            raise AssertionError(f"{service} wrote a line that is no JSON: {text[:300]}") from None
        wrong = wrong_with(line)
        assert not wrong, (wrong, text[:300])
        assert line["service"] == service, text[:300]
        found.append(line)
    return found
