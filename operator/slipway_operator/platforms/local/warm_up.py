"""Real completions through a backend's own URL, before it may take traffic.

Serve's RUNNING says that a replica exists; only an answer through the proxy and the route says
that clients get one. ``Warmed`` remembers on disk which replicas have answered, so that a restart
of the controller does not take weight from what serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
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


class Warmed:
    """Backend name → ids of the replicas that have answered; kept in one small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._replicas: dict[str, frozenset[str]] = _load(path)

    def of(self, name: str) -> frozenset[str]:
        """Replicas of the backend that have answered."""
        return self._replicas.get(name, frozenset())

    def add(self, name: str, replicas: Iterable[str]) -> None:
        """Remember, on disk, that these answered."""
        self._replicas[name] = self.of(name) | frozenset(replicas)
        self._save()

    def keep(self, names: Iterable[str]) -> None:
        """Forget all other backends."""
        kept = {name: self._replicas[name] for name in names if name in self._replicas}
        if kept != self._replicas:
            self._replicas = kept
            self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({name: sorted(ids) for name, ids in self._replicas.items()}))
        draft.replace(self._path)


def _load(path: Path) -> dict[str, frozenset[str]]:
    try:
        content = json.loads(path.read_text())
        return {str(name): frozenset(map(str, ids)) for name, ids in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        # Lost or damaged: every backend is warmed up again, which costs a second.
        return {}
