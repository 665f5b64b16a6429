"""The chart's values.yaml, read with its comments: one ``Value`` a key.

Every key needs a ``# --`` comment directly above it; ``# @schema {…}`` adds to the schema what the
default cannot say. Whatever is not commented is an error, so that nothing goes undocumented.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

COMMENT, SCHEMA = "# -- ", "# @schema "


class Uncommented(ValueError):
    """A key without its comment; the message names key and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One key. ``children`` is empty for what the schema treats as a whole."""

    path: tuple[str, ...]
    text: str
    hints: dict[str, Any]
    default: Any
    children: tuple[Value, ...]

    @property
    def name(self) -> str:
        return self.path[-1]


def read_values(path: Path) -> tuple[Value, ...]:
    """The top-level keys. Raises Uncommented."""
    text = path.read_text("utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return _children(root, text.splitlines(), ())


def _children(node: Any, lines: list[str], path: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(_value(key, value, lines, (*path, key.value)) for key, value in node.value)


def _value(key: Any, node: Any, lines: list[str], path: tuple[str, ...]) -> Value:
    text, hints = _comment(lines, key.start_mark.line, path)
    constructor = yaml.SafeLoader("")
    # A free map or one of a definition's is one value, however long its default is.
    whole = hints.keys() & {"definition", "additionalProperties"} or not node.value
    nested = isinstance(node, yaml.MappingNode) and not whole
    return Value(
        path=path,
        text=text,
        hints=hints,
        default=constructor.construct_object(node, deep=True),
        children=_children(node, lines, path) if nested else (),
    )


def _comment(lines: list[str], line: int, path: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Text and hints of the comment block that ends above ``line``."""
    text, hints = "", {}
    for above in reversed(lines[:line]):
        stripped = above.strip()
        if stripped.startswith(SCHEMA):
            hints = yaml.safe_load(stripped.removeprefix(SCHEMA)) | hints
        elif stripped.startswith(COMMENT):
            text = stripped.removeprefix(COMMENT)
            break
        else:
            break
    if not text:
        where = ".".join(path)
        raise Uncommented(f"values.yaml line {line + 1}: {where} has no `# --` comment above it")
    return text, hints
