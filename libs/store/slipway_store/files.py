"""OpenAI's files: what tenants upload for batches, and what batches write. Whole, in PostgreSQL."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool

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


async def create_file(
    connection: Connection | Pool, content: bytes, *, tenant: str, filename: str, purpose: str
) -> StoredFile:
    """Store it."""
    row = await connection.fetchrow(
        f"""INSERT INTO files (id, tenant, filename, purpose, bytes, content)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_SHOWN}""",
        *(new_file_id(), tenant, clean(filename), purpose, len(content), content),
    )
    assert row is not None
    return StoredFile(**dict(row))


async def get_file(pool: Pool, file_id: str, *, tenant: str) -> StoredFile | None:
    """None where this tenant has no such file."""
    row = await pool.fetchrow(
        f"SELECT {_SHOWN} FROM files WHERE id = $1 AND tenant = $2", clean(file_id), tenant
    )
    return None if row is None else StoredFile(**dict(row))


async def read_file(
    connection: Connection | Pool, file_id: str, *, tenant: str
) -> tuple[str, bytes] | None:
    """Its name and content."""
    row = await connection.fetchrow(
        "SELECT filename, content FROM files WHERE id = $1 AND tenant = $2", clean(file_id), tenant
    )
    return None if row is None else (row["filename"], row["content"])


async def list_files(
    pool: Pool, *, tenant: str, purpose: str | None, after: str | None, limit: int
) -> list[StoredFile]:
    """The latest first, those that follow ``after``."""
    rows = await pool.fetch(
        f"""SELECT {_SHOWN} FROM files WHERE tenant = $1 AND ($2::text IS NULL OR purpose = $2)
            AND ($3::text IS NULL OR (created_at, id) < (
                SELECT created_at, id FROM files WHERE id = $3 AND tenant = $1))
        ORDER BY created_at DESC, id DESC LIMIT $4""",
        *(tenant, purpose, clean(after), limit),
    )
    return [StoredFile(**dict(row)) for row in rows]


async def delete_file(pool: Pool, file_id: str, *, tenant: str) -> bool:
    """False where this tenant has no such file."""
    found = await pool.fetchval(
        "DELETE FROM files WHERE id = $1 AND tenant = $2 RETURNING id", clean(file_id), tenant
    )
    return found is not None
