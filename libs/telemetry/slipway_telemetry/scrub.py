"""Secrets taken out of a text that is about to be logged: the last net, not the first.

Code that logs names no secret. A library's error may quote one all the same: a database's address,
a header, the value that a validation refused. Pure; knows forms, not values.
"""

from __future__ import annotations

import re

HIDDEN = "***"
_FORMS = (
    # Slipway's keys, wherever they stand.
    (re.compile(r"slw_[A-Za-z0-9]+_[A-Za-z0-9_-]+", re.IGNORECASE), f"slw_{HIDDEN}"),
    # user:password@ of an address; the password may hold anything but / and space.
    (re.compile(r"(://[^\s:/@\"']{0,256}):[^\s/\"']{1,512}@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"\b((?:[a-z_]*(?:password|passwd|secret|token|api_?key)|authorization)"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\*\*\*|SecretStr|None\b)[^\s\"',;&)}]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # What pydantic refused: it may be a prompt.
    (re.compile(r"input_value=.{0,4096}?, input_type="), f"input_value={HIDDEN}, input_type="),
)


def scrub(text: str) -> str:
    """``text`` without what looks like a secret."""
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text
