"""The neutral request: what routing and the log need to know of a call, whatever its dialect.

A dialect makes it from bytes; nothing behind the dialect parses a request body again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from slipway_contracts.model import Task


class Ask(NamedTuple):
    """One call. ``model`` None asks for the default Model of text generation.

    ``body`` is what goes upstream under ``path``, byte for byte as it came where the dialect is
    the engine's own. ``system`` and ``first`` (system prompt, first user message) make the
    fingerprint of a conversation; ``conversation`` and ``user`` are the explicit ids in the body.
    ``judge_truncation``: an answer cut by length would be the version's doing, because neither the
    client nor the API's own default set a limit. ``wants_json``: the client demanded JSON.
    ``task``: what the Model must be for. ``greedy``: temperature 0, so that the same question has
    the same answer. ``echo``: what the dialect itself wants to know again when the answer comes.
    """

    model: str | None
    path: str
    body: bytes
    stream: bool = False
    text: str = ""
    system: str = ""
    first: str = ""
    conversation: str | None = None
    user: str | None = None
    judge_truncation: bool = False
    wants_json: bool = False
    task: Task = Task.TEXT_GENERATION
    greedy: bool = False
    echo: Mapping[str, Any] | None = None
