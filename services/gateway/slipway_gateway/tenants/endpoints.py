"""Which endpoint scope a route belongs to. By the dispatched route, never by the URL as it came."""

from __future__ import annotations

from slipway_store.keys import Endpoint

_EXACT = {
    "/v1/chat/completions": Endpoint.CHAT,
    "/v1/completions": Endpoint.COMPLETIONS,
    "/v1/embeddings": Endpoint.EMBEDDINGS,
    "/v1/responses": Endpoint.RESPONSES,
    "/v1/feedback": Endpoint.FEEDBACK,
    "/metadata": Endpoint.MODELS,
    "/forward": Endpoint.FORWARD,
    "/forward_batch": Endpoint.FORWARD,
}
_UNDER = (
    ("/v1/models", Endpoint.MODELS),
    ("/v1/files", Endpoint.FILES),
    ("/v1/batches", Endpoint.BATCHES),
    ("/v1/responses/", Endpoint.RESPONSES),
    ("/api/ask", Endpoint.ASK),
    ("/api/answer/", Endpoint.ASK),
    ("/admin/", Endpoint.ADMIN),
)


def endpoint_of(route: str) -> Endpoint | None:
    """None for a route that no scope names: a key with scopes does not reach it."""
    found = _EXACT.get(route)
    if found is not None:
        return found
    return next((endpoint for prefix, endpoint in _UNDER if route.startswith(prefix)), None)
