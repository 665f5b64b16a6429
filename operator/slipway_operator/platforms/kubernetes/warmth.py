"""Which pods of a backend have answered real completions, and how many replicas did then.

Remembered in an annotation of the RayService, so that a new leader takes no weight from what
serves; it names only pods that exist, so it does not grow. Empty pods with an annotation: it was
ready once and has to be warmed again. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from slipway_operator.platforms.kubernetes.kinds import Body, uid_of
from slipway_operator.platforms.kubernetes.pods import restarts_of

ANNOTATION = "slipway.dev/warmed"
RESCALED = "slipway.dev/rescaled"
# KubeRay reads Serve's state before it hands over a new scale: so long what it says is of the old.
SETTLE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmth:
    """``pods``: lives of pods, for one that was started again is another."""

    pods: frozenset[str] = frozenset()
    replicas: int = 0

    def covers(self, lives: frozenset[str], replicas: int) -> bool:
        """All of that has answered."""
        return bool(lives) and lives <= self.pods and replicas <= self.replicas

    def within(self, lives: frozenset[str]) -> Warmth:
        """What of it still exists."""
        kept = self.pods & lives
        return Warmth(pods=kept, replicas=self.replicas if kept else 0)

    def text(self) -> str:
        """As it stands in the annotation."""
        return orjson.dumps({"pods": sorted(self.pods), "replicas": self.replicas}).decode()


def life_of(pod: Body) -> str:
    """One life of one pod."""
    return f"{uid_of(pod)}/{restarts_of(pod)}"


def lives_of(pods: Iterable[Body]) -> frozenset[str]:
    """The lives of these pods."""
    return frozenset(life_of(pod) for pod in pods)


def remembered(ray_service: Body) -> Warmth | None:
    """None: it was never ready. What cannot be read costs a warm-up."""
    text = (ray_service["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return None
    try:
        content = orjson.loads(text)
        return Warmth(pods=frozenset(map(str, content["pods"])), replicas=int(content["replicas"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return Warmth()


def settling(ray_service: Body, now: datetime) -> bool:
    """It was rescaled so lately that its status may be older."""
    text = (ray_service["metadata"].get("annotations") or {}).get(RESCALED)
    try:
        return text is not None and now - datetime.fromisoformat(text) < SETTLE
    except ValueError:
        return False
