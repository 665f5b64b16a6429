"""The neutral request: what routing and the log need to know of a call, whatever its dialect.

A dialect makes it from bytes; nothing behind the dialect parses a request body again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call. ``model`` None asks for the default Model of text generation.

    ``body`` is what goes upstream under ``path``, byte for byte as it came where the dialect is
    the engine's own. ``system`` and ``first`` (system prompt, first user message) make the
    fingerprint of a conversation; ``conversation`` and ``user`` are the explicit ids in the body.
    ``judge_truncation``: an answer cut by length would be the version's doing, because neither the
    client nor the API's own default set a limit. ``wants_json``: the client demanded JSON.
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
