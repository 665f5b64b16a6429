"""Migrations: up, down, up again; together; a newer database; a broken file changes nothing."""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg
import pytest

from slipway_store import migrate as module
from slipway_store.errors import MigrationError
from slipway_store.migrate import (
    Migration,
    load_migrations,
    migrate,
    migrate_down,
    schema_version,
    step_back,
)

NEWEST = len(load_migrations())
SCHEMA = """SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'schema_migrations' ORDER BY 1, 2"""


async def schema(dsn: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(SCHEMA)]
    finally:
        await connection.close()


async def test_up_down_up_gives_the_same_schema(empty_dsn: str) -> None:
    assert await migrate(empty_dsn) == NEWEST
    first = await schema(empty_dsn)
    assert first
    assert await migrate_down(empty_dsn) == 0
    assert await schema(empty_dsn) == []
    assert await migrate(empty_dsn) == NEWEST
    assert await schema(empty_dsn) == first


async def test_down_leaves_no_function_type_or_sequence(empty_dsn: str) -> None:
    await migrate(empty_dsn)
    await migrate_down(empty_dsn)
    connection = await asyncpg.connect(empty_dsn)
    left = await connection.fetch(
        """SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION ALL
        SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relname <> 'schema_migrations'"""
    )
    await connection.close()
    assert left == []


async def test_again_changes_nothing(empty_dsn: str) -> None:
    await migrate(empty_dsn)
    assert await migrate(empty_dsn) == NEWEST
    assert await migrate_down(empty_dsn, to=NEWEST) == NEWEST


async def test_one_step_back_and_up_again(empty_dsn: str) -> None:
    await migrate(empty_dsn)
    newest = await schema(empty_dsn)
    for version in range(NEWEST - 1, -1, -1):
        assert await step_back(empty_dsn) == version == await schema_version(empty_dsn)
    with pytest.raises(MigrationError, match="has schema version 0"):
        await step_back(empty_dsn)
    assert await migrate(empty_dsn) == NEWEST
    assert await schema(empty_dsn) == newest


async def test_the_operator_takes_it_a_step_back_by_command(empty_dsn: str) -> None:
    await migrate(empty_dsn)

    async def run(*more: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "slipway_operator", "schema", *more),
            env={**os.environ, "SLIPWAY_OPERATOR_DSN": empty_dsn},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    assert await run() == (0, f"schema version {NEWEST} of {NEWEST}\n")
    assert await run("--back") == (0, f"schema version {NEWEST - 1} of {NEWEST}\n")
    await migrate_down(empty_dsn)
    status, said = await run("--back")
    assert status == 1
    assert "use the release that made it" in said
    assert "Traceback" not in said


async def test_processes_that_start_together_take_turns(empty_dsn: str) -> None:
    assert await asyncio.gather(*(migrate(empty_dsn) for _ in range(6))) == [NEWEST] * 6


async def test_a_newer_database_is_refused(empty_dsn: str) -> None:
    await migrate(empty_dsn)
    connection = await asyncpg.connect(empty_dsn)
    await connection.execute("UPDATE schema_migrations SET version = 9999")
    await connection.close()
    with pytest.raises(MigrationError, match="upgrade the program"):
        await migrate(empty_dsn)


async def test_a_failing_migration_is_rolled_back_whole(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration(
        version=NEWEST + 1,
        title="broken",
        up="CREATE TABLE half (); SELECT 1 / 0;",
        down="DROP TABLE half;",
    )
    good = load_migrations()
    monkeypatch.setattr(module, "load_migrations", lambda: (*good, broken))
    with pytest.raises(MigrationError, match=r"broken failed and was rolled back"):
        await migrate(empty_dsn)
    assert all(table != "half" for table, *_ in await schema(empty_dsn))
    monkeypatch.undo()
    assert await migrate(empty_dsn) == NEWEST
