"""Values from clients and engines → values that PostgreSQL holds.

Used where refusing is not an answer: the attempts log, events, measurements. Text loses NUL
characters and lone surrogates, integers are clamped to 32 bits, what is not a finite number is
None. Where a person can be told, the store raises ``InvalidValue`` instead (``refused_values``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from slipway_store.errors import InvalidValue

_INT_MAX = 2**31 - 1


def clean(value: Any) -> Any:
    """The value as PostgreSQL can hold it (see the module's docstring); other types as they are."""
    match value:
        case str():
            if "\0" in value:
                value = value.replace("\0", "\ufffd")
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case bool():
            return value
        case int():
            return max(-_INT_MAX, min(_INT_MAX, value))
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value


@contextmanager
def refused_values() -> Iterator[None]:
    """PostgreSQL's refusal of a value as ``InvalidValue``."""
    try:
        yield
    except (
        asyncpg.UntranslatableCharacterError,
        asyncpg.InvalidTextRepresentationError,
        asyncpg.CharacterNotInRepertoireError,
        asyncpg.DataError,
    ) as error:
        raise InvalidValue(
            f"PostgreSQL cannot hold this value; take out NUL characters and lone surrogates: "
            f"{error}"
        ) from error
