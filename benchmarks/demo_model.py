"""What is asked in the benchmarks: a Model of two versions, a key for it, and 64 conversations.

Ours has everything on: the key is checked, the split has two versions to split over, a rollout's
guard counts. The peers get the same bytes and ignore what they do not know.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.load import request

from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute
from slipway_store.connect import Pool
from slipway_store.keys import create_key
from slipway_store.routes import write_route

PROMPT = "Tell me something about the sea. " * 15


def bodies(*, stream: bool, paced: bool = False, model: str = "demo") -> list[bytes]:
    """64 different conversations, so that the split has something to split."""
    made = []
    for number in range(64):
        content = f"{number}: {PROMPT}{'!paced' if paced else ''}"
        fields: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
        }
        if stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        made.append(json.dumps(fields).encode())
    return made


def messages(secret: str, *, stream: bool, paced: bool = False, model: str = "demo") -> list[bytes]:
    """The same as whole HTTP requests."""
    headers = {"authorization": f"Bearer {secret}"}
    return [request(body, headers) for body in bodies(stream=stream, paced=paced, model=model)]


async def prepare(pool: Pool, engine_url: str) -> str:
    """A route over two versions and a key; returns the key's secret."""
    backends = (
        BackendRoute(version="v2", weight=10, url=engine_url, role="candidate"),
        BackendRoute(version="v1", weight=90, url=engine_url),
    )
    guard = GuardRoute(candidate="v2", stable="v1", rollout_id="bench")
    route = ModelRoute(model="demo", salt="bench", backends=backends, guard=guard, overdue_ms=5000)
    await write_route(pool, route)
    _, secret = await create_key(pool, name="bench", models=["demo"])
    return secret
