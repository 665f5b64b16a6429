"""How many objects are in which state, counted from the cache when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from slipway_contracts.conditions import ConditionStatus, ConditionType, Phase
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import MODEL_VERSIONS, MODELS, Body

_PHASES = frozenset(phase.value for phase in Phase)
_READY = frozenset(status.value for status in ConditionStatus)


def versions_by_phase(cache: Cache) -> Mapping[str, int]:
    """Every phase is there, so that a graph falls to 0."""
    counts = Counter(dict.fromkeys(sorted(_PHASES), 0))
    for body in cache.all(MODEL_VERSIONS):
        phase = (body.get("status") or {}).get("phase", "")
        counts[phase if phase in _PHASES else Phase.PENDING.value] += 1
    return counts


def models_by_ready(cache: Cache) -> Mapping[str, int]:
    """By the Ready condition; Unknown where there is none yet."""
    counts = Counter(dict.fromkeys(sorted(_READY), 0))
    counts.update(_ready(body) for body in cache.all(MODELS))
    return counts


def _ready(body: Body) -> str:
    for condition in (body.get("status") or {}).get("conditions") or ():
        if condition.get("type") == ConditionType.READY.value:
            status = str(condition.get("status"))
            return status if status in _READY else ConditionStatus.UNKNOWN.value
    return ConditionStatus.UNKNOWN.value
