"""The engine's error tree.

EngineError
├── HeadError      the local Ray head cannot be started as asked
├── Refused        the artifact may not be served; ``reason`` is one of the contract's reasons
└── NotReady       the engine came up but did not answer a real completion

Messages begin with the reason, because Ray Serve hands a platform nothing but text.
"""

from __future__ import annotations


class EngineError(Exception):
    """Root of everything that this package raises on purpose."""


class HeadError(EngineError):
    """The local Ray head cannot be started as asked."""
