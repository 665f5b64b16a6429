"""Judgements of answers as rows, for tests that count them: whoever gave the answer."""

from __future__ import annotations

from slipway_store.connect import Pool


async def record_feedback(pool: Pool, *, request_id: str, thumbs_down: bool) -> None:
    await pool.execute(
        "INSERT INTO feedback (request_id, thumbs_down) VALUES ($1, $2)", request_id, thumbs_down
    )
