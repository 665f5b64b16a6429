"""One Model's whole life as a person lives it: a first version, one promoted, one rolled back.

``live`` applies each manifest when the one before has come to its end. ``Ending`` is what is left
then, without what differs from life to life (uids, times, the names made of them).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubernetes_world import Person
from manifests import TRAINING

from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.kinds import (
    CONFIG_MAPS,
    JOBS,
    LABEL_VERSION,
    MODEL_VERSIONS,
    MODELS,
    PODS,
    RAY_SERVICES,
    Body,
    name_of,
)

SUITE = {"name": "heldout", "kind": "heldout"}
MODEL_SPEC: dict[str, Any] = {
    "serving": {"drainSeconds": 0, "warmup": {"requests": 1}},
    "evaluation": {"suites": [SUITE], "gates": [{"metric": "heldout.loss", "max": 5}]},
    "rollout": {
        "steps": [{"weight": 10, "minDuration": "0s"}, {"weight": 50, "minDuration": "0s"}],
        "postPromotionWatch": "1s",
    },
}
PATIENCE_SECONDS = 240
# What was last seen of gateways, evidence and a backend that is gone: told as it was found.
PASSING = {"TrafficApplied", "AnalysisHealthy", "CandidateReady", "Stalled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Phases and conditions by version, and how many children of each kind are left."""

    phases: dict[str, str]
    conditions: dict[str, dict[str, str]]
    children: dict[str, dict[str, int]]


def version_of(model: str, number: int) -> str:
    return f"{model}-v{number}"


async def live(person: Person, cache: Cache, model: str) -> None:
    """The caller says by ``Outside.verdicts`` that the third version is bad."""
    person.create(MODELS, {"metadata": {"name": model}, "spec": MODEL_SPEC})
    first, second, third = (version_of(model, number) for number in (1, 2, 3))
    apply_version(person, model, first)
    await until(cache, {first: "Serving"})
    apply_version(person, model, second)
    await until(cache, {first: "Superseded", second: "Serving"})
    apply_version(person, model, third)
    await until(cache, {second: "Serving", third: "RolledBack"})
    await until_holds(lambda: backends_of(cache, model) == [second], what=f"drained {model}")


def apply_version(person: Person, model: str, name: str, **spec: Any) -> None:
    filled = {"model": model, "source": {"training": TRAINING}} | spec
    person.create(MODEL_VERSIONS, {"metadata": {"name": name}, "spec": filled})


async def until(cache: Cache, phases: dict[str, str], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Until the versions have these phases."""

    def found() -> dict[str, str]:
        return {name: phase_of(cache.get(MODEL_VERSIONS, name)) for name in phases}

    try:
        await until_holds(lambda: found() == phases, what=str(phases), seconds=seconds)
    except TimeoutError:
        statuses = {n: (cache.get(MODEL_VERSIONS, n) or {}).get("status") for n in phases}
        raise AssertionError(f"wanted {phases}, found {found()}: {statuses}") from None


async def until_holds(
    holds: Callable[[], bool], *, what: str = "", seconds: float = PATIENCE_SECONDS
) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"not within {seconds} s: {what}") from None


def phase_of(body: Body | None) -> str:
    return str(((body or {}).get("status") or {}).get("phase", ""))


def backends_of(cache: Cache, model: str) -> list[str]:
    """The versions that have a RayService, one entry for each."""
    return sorted(
        b["metadata"]["labels"][LABEL_VERSION] for b in cache.of_model(RAY_SERVICES, model)
    )


def ending_of(cache: Cache, model: str) -> Ending:
    """What is left of a life; versions are named by their numbers."""
    versions = cache.of_model(MODEL_VERSIONS, model)
    children = {
        kind.plural: dict(
            sorted(
                Counter(
                    _short(model, body["metadata"]["labels"][LABEL_VERSION])
                    for body in cache.of_model(kind, model)
                ).items()
            )
        )
        for kind in (JOBS, CONFIG_MAPS, RAY_SERVICES, PODS)
    }
    return Ending(
        phases={_short(model, name_of(body)): phase_of(body) for body in versions},
        conditions={
            _short(model, name_of(body)): {
                c["type"]: f"{c['status']}/{c['reason']}"
                for c in body["status"]["conditions"]
                if c["type"] not in PASSING
            }
            for body in versions
        },
        children=children,
    )


def _short(model: str, version: str) -> str:
    return version.removeprefix(f"{model}-")
