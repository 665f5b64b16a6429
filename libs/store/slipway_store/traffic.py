"""What a version's traffic was like: stable's last hour, shadow copies, totals for people.

Read from the attempts log, without what the gateways answered from their caches (attempt 0), of
which a version knows nothing. Nothing here enters a verdict but the thresholds that a step freezes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from slipway_store.connect import Pool

BASELINE_WINDOW = timedelta(hours=1)
# A rate over less than this says little about traffic.
SHORTEST_SPAN_SECONDS = 60.0
MIN_SAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A version's last hour. The p95s are None below 200 samples.

    ``requests_per_second`` is over the time since the version's first request of that hour (at
    least a minute), so that a version that was promoted ten minutes ago is not taken for idle.
    """

    requests: int
    requests_per_second: float
    ttft_p95_ms: float | None
    token_p95_ms: float | None
    ttft_samples: int
    token_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Totals of one version. Latencies in ms, None without requests; ``last_at`` aware UTC."""

    requests: int
    errors: int
    refused: int
    shadow: int
    prompt_tokens: int
    completion_tokens: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    ttft_p95_ms: float | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What one version answered in one bucket. ``at``: its beginning. Copies are left out."""

    at: datetime
    version: str
    requests: int
    bad: int


async def over_time(
    pool: Pool, *, model: str, since: datetime, until: datetime, seconds: int
) -> list[Traffic]:
    """The Model's attempts by version in buckets of ``seconds``, oldest first."""
    rows = await pool.fetch(
        """SELECT date_bin(make_interval(secs => $4), "timestamp", $2) AS at, version,
            count(*) AS requests, count(*) FILTER (WHERE error OR refused) AS bad
        FROM request_logs WHERE model_name = $1 AND NOT shadow AND attempt > 0
            AND "timestamp" >= $2 AND "timestamp" < $3
        GROUP BY 1, 2 ORDER BY 1, 2""",
        *(model, since, until, seconds),
    )
    return [Traffic(**dict(row)) for row in rows]


async def baseline(pool: Pool, *, model: str, version: str, now: datetime) -> Baseline:
    """The hour that ends at ``now``, without shadow copies and failed attempts' timings."""
    row = await pool.fetchrow(
        """SELECT count(*) AS requests, extract(epoch FROM $4 - min("timestamp")) AS span,
            count(ttft_ms) FILTER (WHERE timed AND stream) AS ttft_samples,
            count(token_ms) FILTER (WHERE timed) AS token_samples,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY ttft_ms)
                FILTER (WHERE timed AND stream) AS ttft,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY token_ms) FILTER (WHERE timed) AS token
        FROM (SELECT *, NOT error AND NOT refused AS timed FROM request_logs
            WHERE model_name = $1 AND version = $2 AND NOT shadow AND attempt > 0
                AND "timestamp" > $3 AND "timestamp" <= $4) AS log""",
        *(model, version, now - BASELINE_WINDOW, now),
    )
    assert row is not None
    span = max(SHORTEST_SPAN_SECONDS, float(row["span"] or 0))
    return Baseline(
        requests=row["requests"],
        requests_per_second=row["requests"] / span,
        ttft_p95_ms=row["ttft"] if row["ttft_samples"] >= MIN_SAMPLES else None,
        token_p95_ms=row["token"] if row["token_samples"] >= MIN_SAMPLES else None,
        ttft_samples=row["ttft_samples"],
        token_samples=row["token_samples"],
    )


async def shadow_counts(
    pool: Pool, *, model: str, version: str, since: datetime, watermark: datetime
) -> tuple[int, int]:
    """(copies answered, of these failed), begun after ``since`` and ended before ``watermark``."""
    row = await pool.fetchrow(
        """SELECT count(*) AS requests, count(*) FILTER (WHERE error OR refused) AS bad
        FROM request_logs WHERE model_name = $1 AND version = $2 AND shadow AND started_at >= $3
            AND "timestamp" >= $3 AND "timestamp" < $4""",
        *(model, version, since, watermark),
    )
    assert row is not None
    return row["requests"], row["bad"]


async def summary(pool: Pool, *, model: str, version: str, since: datetime) -> Summary:
    """Totals of the attempts that ended after ``since``; copies count in ``shadow`` only."""
    row = await pool.fetchrow(
        """SELECT count(*) FILTER (WHERE NOT shadow) AS requests,
            count(*) FILTER (WHERE error AND NOT shadow) AS errors,
            count(*) FILTER (WHERE refused AND NOT shadow) AS refused,
            count(*) FILTER (WHERE shadow) AS shadow,
            coalesce(sum(prompt_tokens) FILTER (WHERE NOT shadow), 0)::bigint AS prompt_tokens,
            coalesce(sum(completion_tokens) FILTER (WHERE NOT shadow), 0)::bigint
                AS completion_tokens,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY processing_time_ms)
                FILTER (WHERE NOT shadow) AS latency_p50_ms,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY processing_time_ms)
                FILTER (WHERE NOT shadow) AS latency_p95_ms,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY ttft_ms)
                FILTER (WHERE stream AND NOT shadow) AS ttft_p95_ms,
            max("timestamp") FILTER (WHERE NOT shadow) AS last_at
        FROM request_logs
        WHERE model_name = $1 AND version = $2 AND attempt > 0 AND "timestamp" >= $3""",
        *(model, version, since),
    )
    assert row is not None
    return Summary(**dict(row))
