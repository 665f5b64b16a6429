"""How many objects are in which state, counted from the cache when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping

from slipway_contracts.conditions import ConditionStatus, Phase
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import MODEL_VERSIONS, MODELS

_PHASES = tuple(phase.value for phase in Phase)
_READY = tuple(status.value for status in ConditionStatus)


def versions_by_phase(cache: Cache) -> Mapping[str, int]:
    """Every phase is there, so that a graph falls to 0; an unknown one is Pending."""
    return _among(_PHASES, cache.census(MODEL_VERSIONS), otherwise=Phase.PENDING.value)


def models_by_ready(cache: Cache) -> Mapping[str, int]:
    """By the Ready condition; Unknown where there is none yet."""
    return _among(_READY, cache.census(MODELS), otherwise=ConditionStatus.UNKNOWN.value)


def _among(known: tuple[str, ...], states: Mapping[str, int], *, otherwise: str) -> dict[str, int]:
    counts = dict.fromkeys(known, 0)
    for state, count in states.items():
        counts[state if state in counts else otherwise] += count
    return counts
