"""Numbers and times inside sentences: two digits of a rate, thousands with commas, UTC to the
second. Pure; knows no objects.
"""

from __future__ import annotations

from datetime import datetime

from slipway_cli.render import span


def percent(rate: float) -> str:
    """``0.004`` → ``0.4 %``; two digits, whole numbers from 10 % on."""
    share = rate * 100
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.2g} %"


def count(number: int) -> str:
    """``7300`` → ``7,300``."""
    return f"{number:,}"


def at_time(moment: datetime, now: datetime) -> str:
    """``at 12:00:10 UTC (in 42s)``; with the day where it is another one."""
    day = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} "
    away = f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"
    return f"at {day}{moment:%H:%M:%S} UTC ({away})"


def left(until: datetime, now: datetime) -> str:
    """``42s left``, or ``over``."""
    return f"{span(until - now)} left" if until > now else "over"
