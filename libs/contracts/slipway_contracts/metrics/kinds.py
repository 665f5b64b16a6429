"""What one metric of the catalogue is: name, type, unit, labels with bounds, help and owner.

A label is a closed set of words or a name that people choose; the latter has a bound, and whoever
emits it counts what lies beyond under ``OTHER``. There are no labels for keys, requests or users:
those are rows of tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

OTHER = "_other"
"""The value of a label for all that came after its bound was reached."""


class Owner(StrEnum):
    """The process that emits the metric."""

    GATEWAY = "gateway"
    OPERATOR = "operator"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label. ``values``: all there are; empty: any name, at most ``bound`` of them."""

    name: str
    values: tuple[str, ...] = ()
    bound: int = 0

    @property
    def limit(self) -> int:
        """How many values it may have in one process, ``OTHER`` included."""
        return len(self.values) or self.bound + 1


MODEL = Label(name="model", bound=500)
VERSION = Label(name="version", bound=2000)
TENANT = Label(name="tenant", bound=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricName:
    """One metric. ``unit``: what its number counts; seconds, bytes and per cent are in the name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    owner: Owner
    of: tuple[Label, ...] = ()
    """Its labels, in order."""
    unit: str = ""
    buckets: tuple[float, ...] = field(default=())
    """Upper bounds of a histogram, in ``unit``; without +Inf."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its labels, in order."""
        return tuple(label.name for label in self.of)
