"""The errors of the store.

::

    StoreError
    ├── NotFound         no such object: create it first
    ├── AlreadyExists    the name is taken
    ├── Conflict         somebody wrote since you read: read again and repeat
    ├── InvalidValue     PostgreSQL cannot hold the value (a NUL character, for example)
    ├── MigrationError   the schema is newer than this program, or a migration failed
    └── EmbeddedError    the embedded server cannot be started here; says what to change

A database that does not answer raises what asyncpg and the socket raise; ``UNAVAILABLE`` is that
set, for ``except``.
"""

from __future__ import annotations

import asyncpg

UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)


class StoreError(Exception):
    """Base of what the store raises by itself."""


class NotFound(StoreError):
    """The object is not there (or no longer)."""


class AlreadyExists(StoreError):
    """An object of that kind and name is there already."""


class Conflict(StoreError):
    """The resource version that was read is no longer the current one."""


class InvalidValue(StoreError):
    """A value that PostgreSQL refuses; the message names the field."""


class MigrationError(StoreError):
    """The schema cannot be brought to this program's version."""


class EmbeddedError(StoreError):
    """The embedded PostgreSQL cannot run here; the message says what to do."""
