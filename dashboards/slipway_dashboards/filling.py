"""Grafana's variables in a query → what Prometheus takes. Every choice is "all"."""

from __future__ import annotations

import re


def filled(expr: str, *, window: str = "5m", shown: str = "1h") -> str:
    """``window`` stands for the interval of rates, ``shown`` for the time on the screen."""
    values = {"$__rate_interval": window, "$__interval": "15s", "$__range": shown}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return re.sub(r"\$\{?[a-z]+\}?", ".*", expr)
