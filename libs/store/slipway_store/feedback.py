"""People's judgements of answers, by request id, each only of an answer of one's own tenant."""

from __future__ import annotations

from slipway_store.clean import clean
from slipway_store.connect import Pool


async def judge_answer(pool: Pool, *, request_id: str, tenant: str, thumbs_down: bool) -> bool:
    """Store it; the last one counts. False where no answer with this id is (only) this tenant's:
    it is another's, unknown, or its row is not stored yet."""
    stored = await pool.fetchval(
        """INSERT INTO feedback (request_id, thumbs_down)
        SELECT $1, $2 FROM (SELECT bool_and(tenant = $3) AS own FROM request_logs
            WHERE request_id = $1) AS answer WHERE own
        ON CONFLICT (request_id) DO UPDATE SET thumbs_down = EXCLUDED.thumbs_down,
            at = clock_timestamp()
        RETURNING true""",
        *(clean(request_id), thumbs_down, tenant),
    )
    return bool(stored)
