"""Names and identifiers that several processes compute and must agree on.

Child names are a function of (version, uid, attempt) and never of the generation: a pause edits
the spec and must not make a second child.
"""

from __future__ import annotations

import hashlib

HEADER_VERSION = "x-slipway-version"
HEADER_REQUEST_ID = "x-request-id"
HEADER_CONVERSATION = "x-conversation-id"
HEADER_USER = "x-user-id"

RAY_SERVICE_NAME_LIMIT = 47

# On every object that clients create: deleting drains first, then the operator releases it.
FINALIZER = "slipway.dev/drain"


def attempt_id(retry_id: str) -> str:
    """``spec.retry.id`` → a short stable id of the attempt; the same nonce is the same attempt."""
    return hashlib.sha256(f"attempt:{retry_id}".encode()).hexdigest()[:6]


def child_name(version: str, uid: str, attempt: str, kind: str = "") -> str:
    """Deterministic name of a child, ≤ 47 characters and a DNS label.

    ``kind`` is a short suffix such as ``train`` or ``eval``; a backend has none. It begins with a
    letter, which a version need not: Services and RayServices are named after it.
    """
    version = version if version[0].isalpha() else f"v{version}"
    suffix = hashlib.sha256(f"{uid}/{attempt}".encode()).hexdigest()[:8]
    tail = f"-{suffix}-{kind}" if kind else f"-{suffix}"
    return version[: RAY_SERVICE_NAME_LIMIT - len(tail)].rstrip("-") + tail


def question_conversation(tenant: str, text: str) -> str:
    """The conversation of a stored question: the same text goes to the same version of a split."""
    digest = hashlib.sha256(f"{tenant}\0{text}".encode("utf-8", "surrogatepass"))
    return f"question-{digest.hexdigest()[:32]}"
