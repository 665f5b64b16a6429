"""Names of the Prometheus metrics that Slipway's processes emit, by owner.

The source systems' names (``http_requests_total``, ``inference_requests_total``,
``inference_latency_seconds``) stay queryable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricName:
    """One metric: its name, type, labels with bounded values, unit in the name, help and owner."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    owner: Literal["gateway", "operator", "worker"]


HTTP_REQUESTS = MetricName(
    name="http_requests_total",
    kind="counter",
    labels=("method", "route", "status"),
    help="HTTP requests answered, by dispatched route.",
    owner="gateway",
)
INFERENCE_REQUESTS = MetricName(
    name="inference_requests_total",
    kind="counter",
    labels=("model", "version", "outcome"),
    help="Attempts at a backend, by outcome (ok, error, refused, cancelled).",
    owner="gateway",
)
INFERENCE_LATENCY = MetricName(
    name="inference_latency_seconds",
    kind="histogram",
    labels=("model", "version"),
    help="Seconds from a request's arrival to its last byte.",
    owner="gateway",
)
TTFT = MetricName(
    name="slipway_time_to_first_token_seconds",
    kind="histogram",
    labels=("model", "version"),
    help="Seconds from a stream's arrival to its first content byte.",
    owner="gateway",
)
TOKENS = MetricName(
    name="slipway_tokens_total",
    kind="counter",
    labels=("model", "version", "direction"),
    help="Tokens as the engine counted them (prompt, completion).",
    owner="gateway",
)
IN_FLIGHT = MetricName(
    name="slipway_requests_in_flight",
    kind="gauge",
    labels=("model", "version"),
    help="Attempts that have not ended.",
    owner="gateway",
)
LOG_PENDING = MetricName(
    name="slipway_log_pending_rows",
    kind="gauge",
    labels=(),
    help="Attempt rows that are not in PostgreSQL yet.",
    owner="gateway",
)
LOG_LOST = MetricName(
    name="slipway_log_lost_rows_total",
    kind="counter",
    labels=("why",),
    help="Attempt rows that will never be in PostgreSQL (disk: not appended; bound: given up).",
    owner="gateway",
)
LOG_DROPPED_TEXTS = MetricName(
    name="slipway_log_dropped_texts_total",
    kind="counter",
    labels=("why",),
    help="Texts that the log gave up: rows without theirs (bound), or hook failures (redaction).",
    owner="gateway",
)
ROUTES_REVISION = MetricName(
    name="slipway_routes_revision",
    kind="gauge",
    labels=(),
    help="Highest routes revision that this process applies.",
    owner="gateway",
)
FENCED = MetricName(
    name="slipway_candidates_fenced",
    kind="gauge",
    labels=(),
    help="1 while PostgreSQL has not been heard for 10 s and candidates get nothing.",
    owner="gateway",
)
QUEUE_WAITING = MetricName(
    name="slipway_queue_waiting",
    kind="gauge",
    labels=("model", "version"),
    help="Requests that wait for a place at the version.",
    owner="gateway",
)
CONCURRENCY_LIMIT = MetricName(
    name="slipway_concurrency_limit",
    kind="gauge",
    labels=("model", "version"),
    help="Requests that this process gives the version at once, as learnt.",
    owner="gateway",
)
QUEUE_REFUSED = MetricName(
    name="slipway_queue_refused_total",
    kind="counter",
    labels=("model", "version", "why"),
    help="Requests answered 503 for want of a place (full, ahead, late), or by an open circuit.",
    owner="gateway",
)
CIRCUIT_OPEN = MetricName(
    name="slipway_circuit_open",
    kind="gauge",
    labels=("model", "version"),
    help="1 while the version is left alone because it has failed again and again.",
    owner="gateway",
)

RECONCILE = MetricName(
    name="slipway_operator_reconcile_seconds",
    kind="histogram",
    labels=(),
    help="Seconds of one pass over one Model.",
    owner="operator",
)
RECONCILE_ERRORS = MetricName(
    name="slipway_operator_reconcile_errors_total",
    kind="counter",
    labels=("kind",),
    help="Passes that failed, by kind of error (transient, conflict, terminal, unexpected).",
    owner="operator",
)
QUEUE_DEPTH = MetricName(
    name="slipway_operator_queue_depth",
    kind="gauge",
    labels=(),
    help="Models that are due and wait for a worker.",
    owner="operator",
)
VERSIONS = MetricName(
    name="slipway_operator_model_versions",
    kind="gauge",
    labels=("phase",),
    help="ModelVersions, by phase.",
    owner="operator",
)
MODELS = MetricName(
    name="slipway_operator_models",
    kind="gauge",
    labels=("ready",),
    help="Models, by status of their Ready condition (True, False, Unknown).",
    owner="operator",
)
ROLLOUT_OUTCOMES = MetricName(
    name="slipway_operator_rollout_outcomes_total",
    kind="counter",
    labels=("phase", "reason"),
    help="Attempts that ended, by the phase they ended in and why.",
    owner="operator",
)
WATCH_RESTARTS = MetricName(
    name="slipway_operator_watch_restarts_total",
    kind="counter",
    labels=("why",),
    help="Times that the watches were opened anew (silent, ended).",
    owner="operator",
)
LEADER = MetricName(
    name="slipway_operator_leader",
    kind="gauge",
    labels=(),
    help="1 in the replica that reconciles.",
    owner="operator",
)

JOBS = MetricName(
    name="slipway_jobs",
    kind="gauge",
    labels=("kind", "state"),
    help="Jobs in the queue (waiting, delayed, running) and dead ones; every worker tells all.",
    owner="worker",
)
JOBS_OLDEST = MetricName(
    name="slipway_jobs_oldest_seconds",
    kind="gauge",
    labels=("kind",),
    help="Age of the oldest job that may run and does not.",
    owner="worker",
)
JOB_RUNS = MetricName(
    name="slipway_worker_runs_total",
    kind="counter",
    labels=("kind", "outcome"),
    help="Runs of jobs in this worker, by outcome (done, later, failed, dead).",
    owner="worker",
)
JOB_SECONDS = MetricName(
    name="slipway_worker_run_seconds",
    kind="histogram",
    labels=("kind",),
    help="Seconds that a run took in this worker.",
    owner="worker",
)
WORKER_CONNECTED = MetricName(
    name="slipway_worker_connected",
    kind="gauge",
    labels=(),
    help="1 while PostgreSQL answers this worker.",
    owner="worker",
)

CATALOGUE: tuple[MetricName, ...] = (
    HTTP_REQUESTS,
    INFERENCE_REQUESTS,
    INFERENCE_LATENCY,
    TTFT,
    TOKENS,
    IN_FLIGHT,
    LOG_PENDING,
    LOG_LOST,
    LOG_DROPPED_TEXTS,
    ROUTES_REVISION,
    FENCED,
    QUEUE_WAITING,
    CONCURRENCY_LIMIT,
    QUEUE_REFUSED,
    CIRCUIT_OPEN,
    RECONCILE,
    RECONCILE_ERRORS,
    QUEUE_DEPTH,
    VERSIONS,
    MODELS,
    ROLLOUT_OUTCOMES,
    WATCH_RESTARTS,
    LEADER,
    JOBS,
    JOBS_OLDEST,
    JOB_RUNS,
    JOB_SECONDS,
    WORKER_CONNECTED,
)
