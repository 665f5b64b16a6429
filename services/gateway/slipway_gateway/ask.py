"""The neutral request: what routing and the log need to know of a call, whatever its dialect.

A dialect makes it from bytes; nothing behind the dialect parses a request body again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_contracts.model import Task


# Its own constructor, as everything that a request makes has: compiled, a tenth of a dataclass's.
@dataclass(slots=True, init=False)
class Ask:
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

    def __init__(
        self,
        model: str | None,
        path: str,
        body: bytes,
        *,
        stream: bool = False,
        text: str = "",
        system: str = "",
        first: str = "",
        conversation: str | None = None,
        user: str | None = None,
        judge_truncation: bool = False,
        wants_json: bool = False,
        task: Task = Task.TEXT_GENERATION,
        greedy: bool = False,
        echo: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.path = path
        self.body = body
        self.stream = stream
        self.text = text
        self.system = system
        self.first = first
        self.conversation = conversation
        self.user = user
        self.judge_truncation = judge_truncation
        self.wants_json = wants_json
        self.task = task
        self.greedy = greedy
        self.echo = echo
