"""What is kept of prompts and answers in the log: by policy of the process or the tenant.

``full``: the text up to a limit. ``hashed``: only whether two texts are the same can be seen; with
a key, nobody without it can try out guesses. ``none``: nothing. A redaction hook sees every text
before it is kept or hashed; where the hook fails, nothing is kept. Knows no rows and no settings.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import pkgutil
from collections.abc import Callable
from enum import StrEnum

logger = logging.getLogger(__name__)

Redact = Callable[[str], str]
# A hook sees this much behind the limit, so that it recognises what the limit cuts.
MARGIN = 1024


class TextPolicy(StrEnum):
    """What the log keeps of a text."""

    FULL = "full"
    HASHED = "hashed"
    NONE = "none"


class Texts:
    """``withheld``: texts that were not kept because the hook failed."""

    def __init__(
        self,
        *,
        policy: TextPolicy,
        limit: int,
        hash_key: str | None = None,
        redact: Redact | None = None,
    ) -> None:
        self._policy = policy
        self._limit = limit
        self._hash_key = None if hash_key is None else hash_key.encode()
        self._redact = redact
        self.withheld = 0

    def keep(self, policy: str | None, text: str) -> str | None:
        """What goes into the row. ``policy`` None: the process's; an unknown one keeps nothing."""
        if not text:
            return None
        chosen = self._policy if policy is None else policy
        if chosen == TextPolicy.FULL:
            if not self._limit:
                return None
            if self._redact is None:
                return text[: self._limit]
            redacted = self._redacted(text[: self._limit + MARGIN])
            return redacted and redacted[: self._limit]
        if chosen == TextPolicy.HASHED:
            whole = text if self._redact is None else self._redacted(text)
            return whole and self._hashed(whole)
        return None

    def _redacted(self, text: str) -> str | None:
        assert self._redact is not None
        try:
            redacted = self._redact(text)
            if isinstance(redacted, str):
                return redacted
            problem = f"it returned {type(redacted).__name__}"
        except Exception as error:
            # Not its message: that may quote the text.
            problem = f"it raised {type(error).__name__}"
        self.withheld += 1
        logger.error("the redaction hook failed, the text is not kept: %s", problem)
        return None

    def _hashed(self, text: str) -> str:
        data = text.encode("utf-8", "replace")
        if self._hash_key is None:
            return "sha256:" + hashlib.sha256(data).hexdigest()
        return "hmac-sha256:" + hmac.digest(self._hash_key, data, "sha256").hex()


def load_redact(name: str) -> Redact:
    """``package.module:function``. Raises ValueError that says what is wrong with it."""
    try:
        found = pkgutil.resolve_name(name)
        sample = found("")
    except Exception as error:
        raise ValueError(
            f"redact: {name} cannot be used ({type(error).__name__}: {error}); name a function "
            "str -> str as package.module:function, in a package that is installed here"
        ) from error
    if not isinstance(sample, str):
        raise ValueError(f"redact: {name} returns {type(sample).__name__} and must return str")
    return found  # type: ignore[no-any-return]
