"""What others rely on by name: a change here is a change of the interface."""

from __future__ import annotations

from pathlib import Path

from slipway_gateway.app import create_app
from slipway_gateway.settings import Settings

ENVIRONMENT = [
    "answer_limit",
    "batch_limit",
    "batch_rows",
    "body_limit",
    "body_timeout",
    "cache_bytes",
    "cache_ttl",
    "client_timeout",
    "concurrency_start",
    "connect_timeout",
    "drain_delay",
    "dsn",
    "file_limit",
    "files_limit",
    "first_admin_key",
    "first_byte_timeout",
    "first_key",
    "flush_timeout",
    "header_count_limit",
    "header_limit",
    "header_timeout",
    "host",
    "idle_timeout",
    "jwt_algorithms",
    "jwt_audience",
    "jwt_issuer",
    "jwt_jwks_url",
    "jwt_leeway",
    "jwt_refresh",
    "jwt_scope_claim",
    "jwt_tenant_claim",
    "keep_alive",
    "key_pepper",
    "keyless_loopback",
    "keys_ttl",
    "limits_without_database",
    "log_hash_key",
    "log_retention_days",
    "log_text_limit",
    "log_text_policy",
    "own_port",
    "port",
    "queue_limit",
    "queue_timeout",
    "redact",
    "remote_media",
    "segment_limit",
    "segments_limit",
    "shadow_concurrency",
    "ship_interval",
    "shutdown_grace",
    "slot",
    "state_dir",
    "sync_interval",
    "total_timeout",
]
ROUTES = {
    "/admin/audit": {"GET"},
    "/admin/jobs": {"GET"},
    "/admin/jobs/retry": {"POST"},
    "/admin/keys": {"GET", "POST"},
    "/admin/keys/{key_id}": {"GET"},
    "/admin/keys/{key_id}/revoke": {"POST"},
    "/admin/keys/{key_id}/rotate": {"POST"},
    "/admin/tenants": {"GET", "POST"},
    "/admin/tenants/{name}": {"GET", "PUT", "DELETE"},
    "/admin/usage": {"GET"},
    "/api/answer/{question_id}": {"GET"},
    "/api/ask": {"POST"},
    "/docs": {"GET", "HEAD"},
    "/docs/oauth2-redirect": {"GET", "HEAD"},
    "/forward": {"POST"},
    "/forward_batch": {"POST"},
    "/health": {"GET"},
    "/metadata": {"GET"},
    "/metrics": {"GET"},
    "/metrics/prometheus": {"GET"},
    "/openapi.json": {"GET", "HEAD"},
    "/ready": {"GET"},
    "/redoc": {"GET", "HEAD"},
    "/v1/batches": {"GET", "POST"},
    "/v1/batches/{batch_id}": {"GET"},
    "/v1/batches/{batch_id}/cancel": {"POST"},
    "/v1/chat/completions": {"POST"},
    "/v1/completions": {"POST"},
    "/v1/embeddings": {"POST"},
    "/v1/feedback": {"POST"},
    "/v1/files": {"GET", "POST"},
    "/v1/files/{file_id}": {"GET", "DELETE"},
    "/v1/files/{file_id}/content": {"GET"},
    "/v1/models": {"GET"},
    "/v1/models/{name}": {"GET"},
    "/v1/responses": {"POST"},
}


def test_settings():
    assert sorted(Settings.model_fields) == ENVIRONMENT


async def test_routes(tmp_path: Path):
    gateway = create_app(Settings(dsn="postgresql://nobody@/x", state_dir=tmp_path))
    routes: dict[str, set[str]] = {}
    for route in gateway.fastapi.routes:
        routes.setdefault(route.path, set()).update(route.methods)
    assert routes == ROUTES
    gateway.segments.close()
