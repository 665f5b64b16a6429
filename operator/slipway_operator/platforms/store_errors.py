"""The store's errors as the operator's: what will pass by itself, and what will not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slipway_contracts.conditions import Reason
from slipway_operator.errors import Conflict, Terminal, Transient
from slipway_store import errors as store

UNAVAILABLE_DELAY_SECONDS = 2.0


@contextmanager
def operator_errors() -> Iterator[None]:
    """Around every call of the store. An object that is gone is a conflict: read again."""
    try:
        yield
    except (store.Conflict, store.NotFound, store.AlreadyExists) as error:
        raise Conflict(str(error)) from error
    except store.InvalidValue as error:
        raise Terminal(str(error), reason=Reason.INVALID) from error
    except store.UNAVAILABLE as error:
        raise Transient(
            f"PostgreSQL does not answer: {error or type(error).__name__}",
            delay=UNAVAILABLE_DELAY_SECONDS,
        ) from error
