"""Libraries that print for people write lines of the log instead, and draw no progress bars.

They bring handlers and bars of their own when they are imported, so this comes after that. Imports
nothing itself: a run pays for what it needs.
"""

from __future__ import annotations

import sys

from slipway_telemetry.logs import adopt


def hush() -> None:
    """Of what is imported by now."""
    adopt("transformers", "datasets", "accelerate", "huggingface_hub")
    if transformers := sys.modules.get("transformers"):
        transformers.logging.disable_progress_bar()
    if datasets := sys.modules.get("datasets"):
        datasets.disable_progress_bars()
