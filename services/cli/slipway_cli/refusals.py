"""pydantic's errors as sentences: the field's path, what is wrong, and the fix.

``spec.rollout.steps[0].weight: must be at least 1; got 0``. Pure; the only module that knows
pydantic's error types.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
_STRICT_BOUNDS = {"greater_than": ("above", "gt"), "less_than": ("below", "lt")}
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "text (quote it)",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping of fields",
}
_NAME_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One wrong field. ``path`` is empty when the document as a whole is wrong."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


def dotted(path: Path) -> str:
    """``("spec", "steps", 0)`` → ``spec.steps[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def explain(error: ValidationError, model: type[BaseModel], *, under: Path = ()) -> list[Problem]:
    """Every error of one validation, each with its fix. ``under`` is put before the paths."""
    return [
        Problem(
            path=(*under, *detail["loc"]),
            message=_sentence(detail, model, (*under, *detail["loc"])),
        )
        for detail in error.errors()
    ]


def _sentence(detail: ErrorDetails, model: type[BaseModel], path: Path) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    got = f"got {_shown(detail['input'])}"
    if kind == "extra_forbidden":
        return unknown_field(str(detail["loc"][-1]), _fields_at(model, detail["loc"][:-1]))
    if kind == "missing":
        return f"is required{_purpose(model, detail['loc'])}"
    if kind == "value_error":
        return _without_path(str(context["error"]), path)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"must be {words} {context[key]:g}; {got}"
    if kind in _STRICT_BOUNDS:
        words, key = _STRICT_BOUNDS[kind]
        return f"must be {words} {context[key]:g}; {got}"
    if kind in {"literal_error", "enum"}:
        return _choice(str(context["expected"]), detail["input"], got)
    if kind == "string_pattern_mismatch":
        return _pattern(str(context["pattern"]), got)
    if kind in {"string_too_long", "too_long"}:
        return f"is too long: at most {context['max_length']} {_unit(kind)}"
    if kind in {"string_too_short", "too_short"}:
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"needs at least {least} {_unit(kind)}"
    return _wrong_type(kind, got) or f"{detail['msg'][0].lower()}{detail['msg'][1:]}; {got}"


def unknown_field(name: str, known: Sequence[str]) -> str:
    """The sentence for a field that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(_camel(name), known, n=1, cutoff=0.6)
    if near:
        return f"unknown field; did you mean {near[0]}?"
    return (
        f"unknown field; fields here are {', '.join(sorted(known))}" if known else "unknown field"
    )


def nearest(given: str, options: Sequence[str]) -> str:
    """``; did you mean X?``, or the options where nothing is near."""
    near = difflib.get_close_matches(given.lower(), [o.lower() for o in options], n=1)
    found = next((o for o in options if near and o.lower() == near[0]), None)
    return f"; did you mean {found}?" if found else f"; use one of {', '.join(options)}"


def _camel(name: str) -> str:
    head, *rest = name.replace("-", "_").split("_")
    return head + "".join(part.capitalize() for part in rest)


def _choice(expected: str, given: object, got: str) -> str:
    options = [part.strip("'") for part in expected.replace(" or ", ", ").split(", ")]
    if isinstance(given, bool):
        return f"must be one of {', '.join(options)}; quote it: YAML takes a bare on for true"
    return f"must be {'one of ' if len(options) > 1 else ''}{', '.join(options)}; {got}"


def _pattern(pattern: str, got: str) -> str:
    if pattern == _NAME_PATTERN:
        return f"must be lower-case letters, digits and inner '-', such as my-model-2; {got}"
    return f"must match {pattern}; {got}"


def _unit(kind: str) -> str:
    return "characters" if kind.startswith("string") else "entries"


def _wrong_type(kind: str, got: str) -> str | None:
    prefix, _, rest = kind.partition("_")
    if rest in {"type", "parsing", "from_float"} and prefix in _TYPES:
        return f"must be {_TYPES[prefix]}; {got}"
    return None


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    if value is None:
        text = "nothing (an empty value)"
    return text if len(text) <= 60 else text[:57] + "…"


def _without_path(message: str, path: Path) -> str:
    """Validators name their field; the path in front already does."""
    words = message.split(" ", 1)
    if len(words) == 2 and path and dotted(path).endswith(words[0]) and "." in words[0]:
        return words[1]
    return message


def _purpose(model: type[BaseModel], path: Path) -> str:
    for owner in _models_at(model, path[:-1]):
        for name, field in owner.model_fields.items():
            if path[-1] in {field.alias, name} and field.description:
                return f": {field.description.splitlines()[0]}"
    return "; add it"


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    return [
        field.alias or name
        for owner in _models_at(model, path)
        for name, field in owner.model_fields.items()
    ]


def _models_at(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    types: list[Any] = [model]
    for part in path:
        types = [inner for owner in types for inner in _step(owner, part)]
    return [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]


def _step(owner: Any, part: str | int) -> Iterator[Any]:
    if isinstance(part, int):
        for argument in get_args(owner):
            yield from _unwrapped(argument)
        return
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        for name, field in owner.model_fields.items():
            if part in {field.alias, name}:
                yield from _unwrapped(field.annotation)


def _unwrapped(annotation: Any) -> Iterator[Any]:
    """Through ``X | None``; a tuple stays, for the index that follows."""
    if get_origin(annotation) in {Union, UnionType}:
        for argument in get_args(annotation):
            yield from _unwrapped(argument)
    elif annotation is not type(None):
        yield annotation
