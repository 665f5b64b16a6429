"""What a gateway process emits. Each process tells of itself; Prometheus adds them up."""

from __future__ import annotations

from slipway_contracts.metrics.kinds import MODEL, TENANT, VERSION, Label, MetricName, Owner

_OF_VERSION = (MODEL, VERSION)
_LATENCY = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_FIRST_BYTE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)

HTTP_REQUESTS = MetricName(
    name="http_requests_total",
    kind="counter",
    of=(
        Label(name="method", bound=10),
        Label(name="route", bound=100),
        Label(name="status", bound=60),
    ),
    help="HTTP requests answered, by dispatched route.",
    owner=Owner.GATEWAY,
)
INFERENCE_REQUESTS = MetricName(
    name="inference_requests_total",
    kind="counter",
    of=(*_OF_VERSION, Label(name="outcome", values=("ok", "error", "refused", "cancelled"))),
    help="Attempts at a backend, by outcome.",
    owner=Owner.GATEWAY,
)
INFERENCE_LATENCY = MetricName(
    name="inference_latency_seconds",
    kind="histogram",
    of=_OF_VERSION,
    unit="seconds",
    buckets=_LATENCY,
    help="Seconds from a request's arrival to its last byte.",
    owner=Owner.GATEWAY,
)
TTFT = MetricName(
    name="slipway_time_to_first_token_seconds",
    kind="histogram",
    of=_OF_VERSION,
    unit="seconds",
    buckets=_FIRST_BYTE,
    help="Seconds from a stream's arrival to its first content byte.",
    owner=Owner.GATEWAY,
)
INTER_TOKEN = MetricName(
    name="slipway_inter_token_seconds",
    kind="histogram",
    of=_OF_VERSION,
    unit="seconds",
    buckets=_TOKEN,
    help="Mean gap between the content events of a stream; a stream is one observation.",
    owner=Owner.GATEWAY,
)
TOKENS = MetricName(
    name="slipway_tokens_total",
    kind="counter",
    of=(*_OF_VERSION, Label(name="direction", values=("prompt", "completion"))),
    unit="tokens",
    help="Tokens as the engine counted them.",
    owner=Owner.GATEWAY,
)
IN_FLIGHT = MetricName(
    name="slipway_requests_in_flight",
    kind="gauge",
    of=_OF_VERSION,
    unit="requests",
    help="Attempts that have not ended.",
    owner=Owner.GATEWAY,
)
QUEUE_WAITING = MetricName(
    name="slipway_queue_waiting",
    kind="gauge",
    of=_OF_VERSION,
    unit="requests",
    help="Requests that wait for a place at the version.",
    owner=Owner.GATEWAY,
)
CONCURRENCY_LIMIT = MetricName(
    name="slipway_concurrency_limit",
    kind="gauge",
    of=_OF_VERSION,
    unit="requests",
    help="Requests that this process gives the version at once, as learnt.",
    owner=Owner.GATEWAY,
)
QUEUE_REFUSED = MetricName(
    name="slipway_queue_refused_total",
    kind="counter",
    of=(*_OF_VERSION, Label(name="why", values=("full", "ahead", "late", "circuit"))),
    help="Requests answered 503 for want of a place, or by an open circuit.",
    owner=Owner.GATEWAY,
)
CIRCUIT_OPEN = MetricName(
    name="slipway_circuit_open",
    kind="gauge",
    of=_OF_VERSION,
    help="1 while the version is left alone because it has failed again and again.",
    owner=Owner.GATEWAY,
)
TENANT_REQUESTS = MetricName(
    name="slipway_tenant_requests_total",
    kind="counter",
    of=(TENANT, Label(name="outcome", values=("ok", "error", "refused", "cancelled"))),
    help="Attempts at a backend, by who asked.",
    owner=Owner.GATEWAY,
)
TENANT_TOKENS = MetricName(
    name="slipway_tenant_tokens_total",
    kind="counter",
    of=(TENANT, Label(name="direction", values=("prompt", "completion"))),
    unit="tokens",
    help="Tokens as the engine counted them, by who asked.",
    owner=Owner.GATEWAY,
)
LIMIT_REFUSED = MetricName(
    name="slipway_limit_refused_total",
    kind="counter",
    of=(
        TENANT,
        Label(
            name="limit",
            values=("requests_per_minute", "tokens_per_minute", "tokens_per_day", "concurrency"),
        ),
    ),
    help="Requests answered 429, by tenant and the limit that was reached.",
    owner=Owner.GATEWAY,
)
CACHE_LOOKUPS = MetricName(
    name="slipway_cache_lookups_total",
    kind="counter",
    of=(MODEL, Label(name="outcome", values=("hit", "miss"))),
    help="Requests that the answer cache was asked for; none while it is off.",
    owner=Owner.GATEWAY,
)
CACHE_BYTES = MetricName(
    name="slipway_cache_bytes",
    kind="gauge",
    unit="bytes",
    help="Bytes of answers that this process keeps.",
    owner=Owner.GATEWAY,
)
LOG_PENDING = MetricName(
    name="slipway_log_pending_rows",
    kind="gauge",
    unit="rows",
    help="Attempt rows that are not in PostgreSQL yet.",
    owner=Owner.GATEWAY,
)
LOG_OLDEST = MetricName(
    name="slipway_log_oldest_seconds",
    kind="gauge",
    unit="seconds",
    help="Age of the oldest attempt row that is not in PostgreSQL yet; 0 where none waits.",
    owner=Owner.GATEWAY,
)
LOG_LOST = MetricName(
    name="slipway_log_lost_rows_total",
    kind="counter",
    of=(Label(name="why", values=("disk", "bound")),),
    unit="rows",
    help="Attempt rows that will never be in PostgreSQL (disk: not appended; bound: given up).",
    owner=Owner.GATEWAY,
)
LOG_DROPPED_TEXTS = MetricName(
    name="slipway_log_dropped_texts_total",
    kind="counter",
    of=(Label(name="why", values=("bound", "redaction")),),
    unit="texts",
    help="Texts that the log gave up: rows without theirs (bound), or hook failures (redaction).",
    owner=Owner.GATEWAY,
)
ROUTES_REVISION = MetricName(
    name="slipway_routes_revision",
    kind="gauge",
    help="Highest routes revision that this process applies.",
    owner=Owner.GATEWAY,
)
FENCED = MetricName(
    name="slipway_candidates_fenced",
    kind="gauge",
    help="1 while PostgreSQL has not been heard for 10 s and candidates get nothing.",
    owner=Owner.GATEWAY,
)
KEYS_AGE = MetricName(
    name="slipway_keys_age_seconds",
    kind="gauge",
    unit="seconds",
    help="Seconds since this process last knew its keys to be those of PostgreSQL.",
    owner=Owner.GATEWAY,
)
GATEWAY_CONNECTED = MetricName(
    name="slipway_gateway_connected",
    kind="gauge",
    help="1 while PostgreSQL answers this gateway.",
    owner=Owner.GATEWAY,
)

GATEWAY: tuple[MetricName, ...] = (
    HTTP_REQUESTS,
    INFERENCE_REQUESTS,
    INFERENCE_LATENCY,
    TTFT,
    INTER_TOKEN,
    TOKENS,
    IN_FLIGHT,
    QUEUE_WAITING,
    CONCURRENCY_LIMIT,
    QUEUE_REFUSED,
    CIRCUIT_OPEN,
    TENANT_REQUESTS,
    TENANT_TOKENS,
    LIMIT_REFUSED,
    CACHE_LOOKUPS,
    CACHE_BYTES,
    LOG_PENDING,
    LOG_OLDEST,
    LOG_LOST,
    LOG_DROPPED_TEXTS,
    ROUTES_REVISION,
    FENCED,
    KEYS_AGE,
    GATEWAY_CONNECTED,
)
