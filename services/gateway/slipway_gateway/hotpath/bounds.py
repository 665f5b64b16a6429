"""The settings that requests are held against, as plain fields: a request reads several of them.

Seconds and bytes. Made once, from the checked ``Settings``.
"""

from __future__ import annotations

from slipway_gateway.settings import Settings


class Bounds:
    """What they mean is said in ``Settings``."""

    __slots__ = (
        "answer_limit", "body_limit", "body_timeout", "client_timeout", "first_byte_timeout",
        "header_count_limit", "header_limit", "header_timeout", "idle_timeout", "keep_alive",
        "total_timeout",
    )  # fmt: skip

    def __init__(self, given: Settings) -> None:
        self.answer_limit: int = given.answer_limit
        self.body_limit: int = given.body_limit
        self.body_timeout: float = given.body_timeout
        self.client_timeout: float = given.client_timeout
        self.first_byte_timeout: float = given.first_byte_timeout
        self.header_count_limit: int = given.header_count_limit
        self.header_limit: int = given.header_limit
        self.header_timeout: float = given.header_timeout
        self.idle_timeout: float = given.idle_timeout
        self.keep_alive = float(given.keep_alive)
        self.total_timeout: float = given.total_timeout
