"""Schema versions: ``slipway_contracts/migrations/NNNN_title.{up,down}.sql``, one transaction each.

An advisory lock makes processes that start together take turns. A database that is newer than this
program is left alone and refused.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import asyncpg

from slipway_store.connect import CONNECT_TIMEOUT
from slipway_store.errors import MigrationError

# Any constant; it only has to differ from the other advisory locks of this database.
_LOCK = 0x51_1B_0A_71
_NAME = re.compile(r"(\d{4})_(\w+)\.(up|down)\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One version: SQL that brings the schema up to it, and back down from it."""

    version: int
    title: str
    up: str
    down: str


def load_migrations() -> tuple[Migration, ...]:
    """All migrations in order. Raises MigrationError where numbers are not 1, 2, 3 … in pairs."""
    texts: dict[tuple[int, str], dict[str, str]] = {}
    for entry in files("slipway_contracts").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(entry.name)
        if match:
            key = int(match[1]), match[2]
            texts.setdefault(key, {})[match[3]] = entry.read_text("utf-8")
    found = tuple(
        Migration(version=version, title=title, up=pair.get("up", ""), down=pair.get("down", ""))
        for (version, title), pair in sorted(texts.items())
    )
    for number, migration in enumerate(found, start=1):
        if migration.version != number or not migration.up or not migration.down:
            raise MigrationError(
                f"migration {migration.version:04d}_{migration.title} needs an up and a down file "
                f"and the number {number:04d}"
            )
    return found


async def migrate(dsn: str, *, to: int | None = None) -> int:
    """Bring the schema up to ``to`` (default: the newest). Returns the version. Idempotent.

    Raises MigrationError when the database is newer than this program, and ``UNAVAILABLE`` errors.
    """
    migrations = load_migrations()
    target = len(migrations) if to is None else to
    async with _locked(dsn) as connection:
        current = await _current(connection)
        if current > len(migrations):
            raise MigrationError(
                f"the database has schema version {current}, this program knows {len(migrations)}: "
                "upgrade the program, or take the schema a step back with the newer one "
                "(python -m slipway_operator schema --back)"
            )
        for migration in migrations[current:target]:
            await _step(connection, migration.up, migration, version=migration.version)
        return max(current, target)


async def migrate_down(dsn: str, *, to: int = 0) -> int:
    """Take the schema down to ``to``; 0 drops everything. Returns the version."""
    migrations = load_migrations()
    async with _locked(dsn) as connection:
        current = await _current(connection)
        for migration in reversed(migrations[to:current]):
            await _step(connection, migration.down, migration, version=migration.version - 1)
        return min(current, to)


async def schema_version(dsn: str) -> int:
    """The database's; 0 before the first migration."""
    async with _locked(dsn) as connection:
        return await _current(connection)


async def step_back(dsn: str) -> int:
    """Undo the last migration, for the release before this one. Returns the version.

    Raises MigrationError when there is none, or this program does not know it.
    """
    migrations = load_migrations()
    async with _locked(dsn) as connection:
        current = await _current(connection)
        if not 0 < current <= len(migrations):
            raise MigrationError(
                f"the database has schema version {current}, this program can undo 1 to "
                f"{len(migrations)}: use the release that made it"
            )
        migration = migrations[current - 1]
        await _step(connection, migration.down, migration, version=current - 1)
        return current - 1


async def _step(connection: Any, sql: str, migration: Migration, *, version: int) -> None:
    try:
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute("UPDATE schema_migrations SET version = $1", version)
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"migration {migration.version:04d}_{migration.title} failed and was rolled back: "
            f"{error}"
        ) from error


@asynccontextmanager
async def _locked(dsn: str) -> AsyncIterator[Any]:
    # No command timeout: a process that waits for another one's long migration is not in error.
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield connection
    finally:
        await connection.close()


async def _current(connection: Any) -> int:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version integer NOT NULL)"
    )
    version = await connection.fetchval("SELECT version FROM schema_migrations")
    if version is None:
        await connection.execute("INSERT INTO schema_migrations VALUES (0)")
        return 0
    return int(version)
