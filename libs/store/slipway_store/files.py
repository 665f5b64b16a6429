"""OpenAI's files: what tenants upload for batches, and what batches write. In PostgreSQL.

A file up to ``CHUNK`` is whole in its row, a larger one in chunks, so that nobody needs to hold it
in memory.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool

CHUNK = 1024 * 1024
_SHOWN = "id, filename, purpose, bytes, created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file without its content."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created_at: datetime


def new_file_id() -> str:
    """Nobody guesses it, and nobody needs to: a tenant finds its own files only."""
    return f"file-{secrets.token_hex(12)}"


async def store_chunk(pool: Pool, file_id: str, number: int, content: bytes) -> None:
    """A part of a file that is being uploaded; nobody sees it before ``create_file``."""
    await pool.execute(
        "INSERT INTO file_chunks (file_id, number, content) VALUES ($1, $2, $3)",
        *(file_id, number, content),
    )


async def create_file(
    connection: Connection | Pool,
    content: bytes | None,
    *,
    file_id: str,
    size: int,
    tenant: str,
    filename: str,
    purpose: str,
) -> StoredFile:
    """Store it whole, or, where ``content`` is None, what its chunks hold."""
    row = await connection.fetchrow(
        f"""INSERT INTO files (id, tenant, filename, purpose, bytes, content)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_SHOWN}""",
        *(file_id, tenant, clean(filename), purpose, size, content),
    )
    assert row is not None
    return StoredFile(**dict(row))


async def forget_chunks(pool: Pool, file_id: str) -> None:
    """Of an upload that broke off."""
    await pool.execute("DELETE FROM file_chunks WHERE file_id = $1", file_id)


async def prune_chunks(pool: Pool, *, age: timedelta) -> None:
    """Of uploads whose gateway ended, and of files that an older release deleted."""
    await pool.execute(
        """DELETE FROM file_chunks AS chunk WHERE at < now() - $1::interval
            AND NOT EXISTS (SELECT FROM files WHERE id = chunk.file_id)""",
        age,
    )


async def get_file(pool: Pool, file_id: str, *, tenant: str) -> StoredFile | None:
    """None where this tenant has no such file."""
    row = await pool.fetchrow(
        f"SELECT {_SHOWN} FROM files WHERE id = $1 AND tenant = $2", clean(file_id), tenant
    )
    return None if row is None else StoredFile(**dict(row))


async def read_chunks(pool: Pool, file_id: str, *, tenant: str) -> AsyncIterator[bytes]:
    """A file's content, a chunk at a time; nothing where this tenant has no such file."""
    whole = await pool.fetchrow(
        "SELECT content FROM files WHERE id = $1 AND tenant = $2", clean(file_id), tenant
    )
    if whole is None:
        return
    if whole["content"] is not None:
        yield whole["content"]
        return
    number = -1
    while True:
        row = await pool.fetchrow(
            """SELECT number, content FROM file_chunks WHERE file_id = $1 AND number > $2
            ORDER BY number LIMIT 1""",
            *(file_id, number),
        )
        if row is None:
            return
        number = row["number"]
        yield row["content"]


async def list_files(
    pool: Pool, *, tenant: str, purpose: str | None, after: str | None, limit: int
) -> list[StoredFile]:
    """The latest first, those that follow ``after``."""
    rows = await pool.fetch(
        f"""SELECT {_SHOWN} FROM files WHERE tenant = $1 AND ($2::text IS NULL OR purpose = $2)
            AND ($3::text IS NULL OR (created_at, id) < (
                SELECT created_at, id FROM files WHERE id = $3 AND tenant = $1))
        ORDER BY created_at DESC, id DESC LIMIT $4""",
        *(tenant, clean(purpose), clean(after), limit),
    )
    return [StoredFile(**dict(row)) for row in rows]


async def stored_bytes(pool: Pool, *, tenant: str) -> int:
    """Of all the tenant's files."""
    found = await pool.fetchval(
        "SELECT coalesce(sum(bytes), 0)::bigint FROM files WHERE tenant = $1", tenant
    )
    return int(found)


async def delete_file(pool: Pool, file_id: str, *, tenant: str) -> bool:
    """False where this tenant has no such file."""
    found = await pool.fetchval(
        """WITH gone AS (DELETE FROM files WHERE id = $1 AND tenant = $2 RETURNING id),
            chunks AS (DELETE FROM file_chunks USING gone WHERE file_id = gone.id)
        SELECT id FROM gone""",
        *(clean(file_id), tenant),
    )
    return found is not None
