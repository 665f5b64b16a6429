"""What every attempt counts, in plain numbers: by version, by tenant, and how many are open.

A label look-up and a lock for each increment cost more than the rest of the log, so nothing here
knows a metric: the page is made of it when somebody scrapes. Bounded by the catalogue's labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from slipway_contracts.attempt import Attempt
from slipway_contracts.metrics import gateway as names
from slipway_contracts.metrics.kinds import MODEL, OTHER, TENANT, VERSION
from slipway_telemetry.bounded import Book
from slipway_telemetry.buckets import Buckets

OUTCOMES: Final = ("ok", "error", "refused", "cancelled")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD: Final = "other"
VersionKey = tuple[str, str]


class VersionTraffic:
    """What is counted of one version."""

    __slots__ = ("completion", "inter_token", "latency", "outcomes", "prompt", "ttft")

    def __init__(self) -> None:
        self.prompt = self.completion = 0
        self.latency = Buckets(names.INFERENCE_LATENCY.buckets)
        self.ttft = Buckets(names.TTFT.buckets)
        self.inter_token = Buckets(names.INTER_TOKEN.buckets)
        self.outcomes = dict.fromkeys(OUTCOMES, 0)

    @property
    def moved(self) -> int:
        """How many attempts it has counted."""
        return sum(self.outcomes.values())


class TenantTraffic:
    """What is counted of one tenant. ``limited``: answers 429, by the limit's name."""

    __slots__ = ("completion", "limited", "outcomes", "prompt")

    def __init__(self) -> None:
        self.prompt = self.completion = 0
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.limited: dict[str, int] = {}

    @property
    def moved(self) -> int:
        """How many attempts and refusals it has counted."""
        return sum(self.outcomes.values()) + sum(self.limited.values())


class Versions(Book[VersionKey, VersionTraffic]):
    """By (model, version), at most as many of both as their labels may have."""

    def __init__(self) -> None:
        super().__init__(VERSION.bound, VersionTraffic)
        self._models: set[str] = set()

    def admits(self, key: VersionKey) -> bool:
        """A Model beyond the bound shares the entry of all such."""
        if key[0] not in self._models:
            if len(self._models) >= MODEL.bound:
                return False
            self._models.add(key[0])
        return True

    def recount(self) -> None:
        """After some have left."""
        self._models = {model for model, _ in self}

    def shown(self) -> list[tuple[VersionKey, VersionTraffic]]:
        """With those beyond the bound, if there are any."""
        entries = list(self.items())
        return [*entries, ((OTHER, OTHER), self.other)] if self.other.moved else entries


class Tenants(Book[str, TenantTraffic]):
    """By name, at most as many as the label may have."""

    def __init__(self) -> None:
        super().__init__(TENANT.bound, TenantTraffic)

    def shown(self) -> list[tuple[str, TenantTraffic]]:
        """With those beyond the bound, if there are any."""
        entries = list(self.items())
        return [*entries, (OTHER, self.other)] if self.other.moved else entries


class InFlight:
    """How many attempts have not ended, by version. Exact: a drain waits for them."""

    def __init__(self) -> None:
        self._open: dict[VersionKey, int] = {}

    def enter(self, model: str, version: str) -> None:
        """An attempt begins."""
        key = model, version
        self._open[key] = self._open.get(key, 0) + 1

    def leave(self, model: str, version: str) -> None:
        """It ended."""
        self._open[model, version] -= 1

    def by_version(self) -> dict[str, int]:
        """For the heartbeat: versions with at least one."""
        out: dict[str, int] = {}
        for (_, version), count in self._open.items():
            if count:
                out[version] = out.get(version, 0) + count
        return out

    def items(self) -> list[tuple[VersionKey, int]]:
        """All, those with none included."""
        return list(self._open.items())

    def forget(self, keep: set[VersionKey]) -> None:
        """Versions without any leave, unless they are to be kept."""
        for key, count in self.items():
            if not count and key not in keep:
                del self._open[key]


class Traffic:
    """Everything that attempts count in this process."""

    def __init__(self) -> None:
        self.versions = Versions()
        self.tenants = Tenants()
        self.in_flight = InFlight()
        # By method, dispatched route and status.
        self.answers: dict[tuple[str, str, int], int] = {}

    def answered(self, method: str, route: str, status: int) -> None:
        """One HTTP answer; ``route`` is the dispatched template, never a raw path."""
        key = (method if method in METHODS else OTHER_METHOD, route, status)
        self.answers[key] = self.answers.get(key, 0) + 1

    def observe(self, attempt: Attempt) -> None:
        """One ended attempt. Copies are no traffic."""
        if attempt.shadow:
            return
        outcome = outcome_of(attempt)
        of = self.versions[attempt.model_name, attempt.version]
        of.outcomes[outcome] += 1
        of.latency.observe(attempt.processing_time_ms / 1000)
        if attempt.ttft_ms is not None:
            of.ttft.observe(attempt.ttft_ms / 1000)
        if attempt.token_ms is not None:
            of.inter_token.observe(attempt.token_ms / 1000)
        tenant = self.tenants[attempt.tenant]
        tenant.outcomes[outcome] += 1
        prompt, completion = attempt.prompt_tokens, attempt.completion_tokens
        if prompt:
            of.prompt += prompt
            tenant.prompt += prompt
        if completion:
            of.completion += completion
            tenant.completion += completion

    def limited(self, tenant: str, limit: str) -> None:
        """A request was answered 429."""
        limited = self.tenants[tenant].limited
        limited[limit] = limited.get(limit, 0) + 1

    def open_by_version(self) -> Iterator[tuple[VersionKey, float]]:
        """Every version that has counts or something open."""
        counts = dict.fromkeys(self.versions, 0) | dict(self.in_flight.items())
        yield from counts.items()


def outcome_of(attempt: Attempt) -> str:
    """One of ``OUTCOMES``."""
    if attempt.error:
        return "error"
    if attempt.refused:
        return "refused"
    return "cancelled" if attempt.client_gone else "ok"
