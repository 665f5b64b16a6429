"""Real completions through a backend's own URL, before it may take traffic.

Serve's RUNNING says that a replica exists; only an answer through the proxy and the route says
that clients get one. Knows a URL and nothing of who runs the engine behind it.
"""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from slipway_contracts.serving import Warmup
from slipway_operator.errors import Transient

TOKENS = 8
# A first answer may compile kernels; this bounds one request.
TIMEOUT = aiohttp.ClientTimeout(total=120, connect=5)


async def warm_up(url: str, *, model: str, warmup: Warmup, replicas: int = 1) -> None:
    """One plain completion, then ``warmup.requests`` for each replica, every other one streamed.

    Raises Transient with what came instead of an answer.
    """
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        for number in range(1 + warmup.requests * replicas):
            stream = number % 2 == 1
            body = {
                "model": model,
                "prompt": warmup.prompt,
                "max_tokens": TOKENS,
                "ignore_eos": True,
                "stream": stream,
            }
            try:
                async with session.post(f"{url}/v1/completions", json=body) as response:
                    text = await response.text()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Transient(f"{url} does not answer a completion: {error!r}") from error
            if response.status != 200 or not _answered(text, stream=stream):
                said = " ".join(text.split())[:300]
                raise Transient(f"{url} answered a completion by {response.status}: {said}")


def _answered(text: str, *, stream: bool) -> bool:
    if stream:
        return text.rstrip().endswith("data: [DONE]") and '"choices"' in text
    try:
        answer: Any = json.loads(text)
        return int(answer["usage"]["completion_tokens"]) > 0
    except (ValueError, KeyError, TypeError):
        return False
