"""Shapes of expressions that several alerts share.

Each is right when a process starts, restarts or goes away: a series that appears is not mistaken
for one that grew from nothing long ago, and one that vanished is still missed for a while.
"""

from __future__ import annotations


def grew(series: str, window: str, *, by: str) -> str:
    """A counter that rose within ``window``, also where its first sample is its first event."""
    labels = f"by ({by})"
    return (
        f"sum {labels} (increase({series}[{window}])) > 0\n"
        f"or\n"
        f"(sum {labels} ({series}) > 0 unless sum {labels} ({series} offset {window}))"
    )


def all_gone(job: str, *, remembered: str = "15m") -> str:
    """No process of a job answers: all fail, or the targets went away a short while ago."""
    up = f'up{{job="{job}"}}'
    return (
        f"sum by (namespace) ({up}) == 0\n"
        f"or\n"
        f"(0 * count by (namespace) (last_over_time({up}[{remembered}]))\n"
        f"  unless on (namespace) count by (namespace) ({up}))"
    )
