"""Questions and their answers (S4): stored with the job that answers them, in one statement.

A question that its version answered before is stored as answered and needs no job. Ids are
integers and belong to a tenant; nobody else finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slipway_store.cache import CachedAnswer, digest, remember
from slipway_store.clean import clean, refused_values
from slipway_store.connect import Connection, Pool
from slipway_store.jobs import lane

KIND = "question"
_BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the worker needs of a question. ``waiting``: nobody has answered it."""

    id: int
    tenant: str
    model: str
    question_text: str
    waiting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a version said. ``request_id`` finds it in the log."""

    question: Question
    answer_text: str
    version: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A question that will not be answered, and what is said instead."""

    question_id: int
    answer_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """``answer_text`` None: the question waits."""

    question_id: int
    answer_text: str | None


async def ask(
    pool: Pool,
    text: str,
    *,
    tenant: str,
    model: str,
    version: str | None,
    priority: int = 0,
    key_id: str = "",
    trace: str = "",
) -> Stored:
    """Store a question: answered, if ``version`` answered this text before, else with its job.

    ``key_id``: whose limits the answer counts for, beside the tenant's. ``trace``: the request's
    ``traceparent``. Raises InvalidValue for a text that PostgreSQL cannot hold.
    """
    with refused_values():
        row = await pool.fetchrow(
            """WITH known AS (
                SELECT answer_text FROM answer_cache
                WHERE tenant = $1 AND model = $3 AND version = $4 AND digest = $5
            ), asked AS (
                INSERT INTO questions (tenant, question_text, model, state, answer_text, version,
                    answered_at)
                SELECT $1, $2, $3, CASE WHEN known.answer_text IS NULL THEN 'waiting'
                    ELSE 'answered' END, known.answer_text,
                    CASE WHEN known.answer_text IS NOT NULL THEN $4 END,
                    CASE WHEN known.answer_text IS NOT NULL THEN clock_timestamp() END
                FROM (SELECT 1) one LEFT JOIN known ON true
                RETURNING id, answer_text
            ), queued AS (
                INSERT INTO pgqueuer (priority, entrypoint, payload, status)
                SELECT $6, $7, convert_to(json_strip_nulls(json_build_object(
                    'question', id, 'key', $8::text, 'trace', $9::text))::text, 'UTF8'), 'queued'
                FROM asked WHERE answer_text IS NULL
            )
            SELECT id, answer_text FROM asked""",
            *(tenant, text, model, version, digest(text), priority, lane(KIND, tenant), key_id),
            trace or None,
        )
    assert row is not None
    return Stored(question_id=row["id"], answer_text=row["answer_text"])


async def find(pool: Pool, question_id: int, *, tenant: str) -> Stored | None:
    """A tenant's question; None where there is none with this id."""
    if not 0 < question_id <= _BIGINT_MAX:
        return None
    row = await pool.fetchrow(
        "SELECT id, answer_text FROM questions WHERE id = $1 AND tenant = $2", question_id, tenant
    )
    return None if row is None else Stored(question_id=row["id"], answer_text=row["answer_text"])


async def read(pool: Pool, question_id: int) -> Question | None:
    """A question, whoever asked it."""
    row = await pool.fetchrow(
        """SELECT id, tenant, model, question_text, state = 'waiting' AS waiting
        FROM questions WHERE id = $1""",
        question_id,
    )
    return None if row is None else Question(**dict(row))


async def store_answers(connection: Connection, answers: Sequence[Answer]) -> None:
    """Answer questions, and remember what was said for who asks the same."""
    await connection.execute(
        """UPDATE questions SET state = 'answered', answer_text = told.answer,
            version = told.version, request_id = told.request, answered_at = clock_timestamp()
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[])
            AS told (id, answer, version, request)
        WHERE questions.id = told.id AND questions.state <> 'answered'""",
        [answer.question.id for answer in answers],
        [clean(answer.answer_text) for answer in answers],
        [clean(answer.version) for answer in answers],
        [clean(answer.request_id) for answer in answers],
    )
    await remember(
        connection,
        [
            CachedAnswer(
                tenant=answer.question.tenant,
                model=answer.question.model,
                version=clean(answer.version),
                question_text=answer.question.question_text,
                answer_text=answer.answer_text,
            )
            for answer in answers
        ],
    )


async def store_failures(connection: Connection, failures: Sequence[Failure]) -> None:
    """Say of questions that they will not be answered."""
    await connection.execute(
        """UPDATE questions SET state = 'failed', answer_text = told.answer,
            answered_at = clock_timestamp()
        FROM unnest($1::bigint[], $2::text[]) AS told (id, answer)
        WHERE questions.id = told.id AND questions.state = 'waiting'""",
        [failure.question_id for failure in failures],
        [clean(failure.answer_text) for failure in failures],
    )
