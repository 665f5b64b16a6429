"""Answers to questions that were asked before: exact text, per tenant, Model and version.

Another version's answer is never given. A text is found by its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from slipway_store.clean import clean
from slipway_store.connect import Connection, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """One answer of one version."""

    tenant: str
    model: str
    version: str
    question_text: str
    answer_text: str


def digest(text: str) -> bytes:
    """The cache's name for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def remember(connection: Connection, answers: Sequence[CachedAnswer]) -> None:
    """Keep answers; the first that was given to a text stays."""
    await connection.execute(
        """INSERT INTO answer_cache (tenant, model, version, digest, answer_text)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[])
        ON CONFLICT DO NOTHING""",
        [answer.tenant for answer in answers],
        [answer.model for answer in answers],
        [answer.version for answer in answers],
        [digest(answer.question_text) for answer in answers],
        [clean(answer.answer_text) for answer in answers],
    )


async def forget(pool: Pool, *, age: timedelta) -> None:
    """Drop what is older."""
    await pool.execute("DELETE FROM answer_cache WHERE at < now() - $1::interval", age)
