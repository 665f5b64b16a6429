"""Text for people and scripts: tables, ages, YAML. Pure; never wraps and never cuts a value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import yaml

GAP = "   "
NONE = "<none>"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """kubectl's look: upper-case headers, columns as wide as their widest cell."""
    cells = [[header.upper() for header in headers], *[[str(c) for c in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def age(since: datetime | None, now: datetime) -> str:
    """``8s``, ``3m20s``, ``2h5m``, ``4d``: two units at most, as kubectl."""
    return NONE if since is None else span(now - since)


def span(length: timedelta) -> str:
    """A length of time for people; never negative."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600, seconds // 60
    if minutes < 2:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if days < 2:
        return f"{hours}h{minutes % 60}m" if hours < 8 and minutes % 60 else f"{hours}h"
    return f"{days}d"


def length(seconds: float) -> str:
    """``span`` of seconds."""
    return span(timedelta(seconds=seconds))


def to_yaml(value: Any) -> str:
    """Block style, keys in their order."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return text.rstrip("\n")


def to_json(value: Any) -> str:
    """Indented; unicode as it is."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def moment(at: datetime | None) -> str:
    """UTC to the second, as in ``2026-02-03T10:11:12Z``."""
    return NONE if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
