"""Synthetic traffic: what two arms of a rollout would have counted, tick by tick.

Three kinds of clients. *Fresh units*: every request is a conversation of its own, bad with its
arm's rate; what a busy public endpoint looks like. *Retry storms*: the same, but a client that got
a bad answer asks again and again and mostly gets it again. *Clients*: a fixed set of units, each
wholly on one arm, with equal or Zipf-distributed activity, and optionally one that always fails
wherever it is. Knows nothing of judging.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts.counts import TICK_SECONDS
from slipway_verdicts.grid import Floats
from slipway_verdicts.sums import BAD, CANDIDATE, RISK_BAD, RISK_N, STABLE, Bools, N

Rng = np.random.Generator


class ClientModel(StrEnum):
    """Who asks."""

    INDEPENDENT = "independent"
    ZIPF = "zipf"
    ALWAYS_FAILING = "always-failing"
    RETRY_STORMS = "retry-storms"
    FEW_CONVERSATIONS = "few-conversations"


CLIENTS = 1000
ZIPF_EXPONENT = 1.1
CONVERSATIONS = 30
FAILING_SHARE = 0.02
RETRIES = 10
RETRY_BAD = 0.9
HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From ``start`` for ``seconds``, at least ``rate`` of the answers are bad."""

    start: float
    seconds: float = 60.0
    rate: float = 1.0
    stable_too: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests a second over both arms; bad rates (metrics, 2): candidate, stable."""

    requests_per_second: float
    rates: Floats
    outages: tuple[Outage, ...] = ()

    def rates_at(self, second: float) -> Floats:
        """The rates with the outages of that second."""
        rates = self.rates
        for outage in self.outages:
            if outage.start <= second < outage.start + outage.seconds:
                arms = [CANDIDATE, STABLE] if outage.stable_too else [CANDIDATE]
                rates = rates.copy()
                rates[:, arms] = np.maximum(rates[:, arms], outage.rate)
        return rates


class Traffic(Protocol):
    """Counts of one tick for many rollouts, in the shape that ``sums`` documents."""

    def tick(self, rng: Rng, weights: Floats, *, second: float) -> Floats:
        """``weights``: the candidate's share of each rollout, in [0, 1]."""
        ...

    def stable_hour(self, rng: Rng, rollouts: int) -> Floats:
        """Stable's (requests, bad events) of the hour before, (rollouts, metrics, 2)."""
        ...

    def stable_rate(self) -> Floats:
        """Expected share of bad answers on the stable version, (metrics,), without outages."""
        ...

    def enter_step(self, rollouts: Bools) -> None:
        """These begin a step: every unit is at risk again."""
        ...

    def keep(self, kept: Bools) -> None:
        """Forget the others."""
        ...


def make_traffic(model: ClientModel, load: Load, *, rollouts: int, rng: Rng) -> Traffic:
    """The traffic of ``rollouts`` rollouts; units are dealt to buckets anew in each."""
    match model:
        case ClientModel.INDEPENDENT:
            return FreshUnits(load)
        case ClientModel.RETRY_STORMS:
            return FreshUnits(load, retries=RETRIES)
        case ClientModel.FEW_CONVERSATIONS:
            return Clients(load, np.full(CONVERSATIONS, 1 / CONVERSATIONS), rollouts, rng=rng)
        case ClientModel.ZIPF:
            return Clients(load, zipf(CLIENTS), rollouts, rng=rng)
        case ClientModel.ALWAYS_FAILING:
            activity = np.append((1 - FAILING_SHARE) * zipf(CLIENTS), FAILING_SHARE)
            return Clients(load, activity, rollouts, rng=rng, last_fails=True)


def zipf(clients: int) -> Floats:
    """Shares of the requests, the busiest client first."""
    weights = np.arange(1.0, clients + 1) ** -ZIPF_EXPONENT
    shares: Floats = weights / weights.sum()
    return shares


class FreshUnits:
    """Every request a unit of its own, so at-risk and uncapped counts differ by retries only.

    ``retries``: mean number of times that a client with a bad answer asks again within the tick;
    ``RETRY_BAD`` of those are bad again, and none is at risk.
    """

    def __init__(self, load: Load, *, retries: float = 0.0) -> None:
        self._load = load
        self._retries = retries

    def tick(self, rng: Rng, weights: Floats, *, second: float) -> Floats:
        """See ``Traffic``."""
        rates = self._load.rates_at(second)
        shares = np.stack((weights, 1 - weights), axis=1)
        n = rng.poisson(shares * self._load.requests_per_second * TICK_SECONDS)
        bad = rng.binomial(n[:, None, :], rates)
        counts = np.empty((*bad.shape, 4))
        counts[..., N] = counts[..., RISK_N] = n[:, None, :]
        counts[..., BAD] = counts[..., RISK_BAD] = bad
        if self._retries:
            again = rng.poisson(rng.standard_gamma(bad) * self._retries)
            counts[..., N] += again
            counts[..., BAD] += rng.binomial(again, RETRY_BAD)
        return counts

    def stable_hour(self, rng: Rng, rollouts: int) -> Floats:
        """See ``Traffic``."""
        rates = self._load.rates[:, STABLE]
        n = rng.poisson(self._load.requests_per_second * HOUR, (rollouts, 1))
        bad = rng.binomial(n, rates)
        again = rng.poisson(rng.standard_gamma(bad) * self._retries)
        return np.stack((n + again, bad + rng.binomial(again, RETRY_BAD)), axis=-1) * 1.0

    def stable_rate(self) -> Floats:
        """See ``Traffic``."""
        bad = self._load.rates[:, STABLE]
        again = bad * self._retries
        rate: Floats = (bad + RETRY_BAD * again) / (1 + again)
        return rate

    def enter_step(self, rollouts: Bools) -> None:
        """Fresh units are always at risk."""

    def keep(self, kept: Bools) -> None:
        """Fresh units have no state."""


class Clients:
    """A fixed set of units with given shares of the requests; ``last_fails``: the last one does.

    A client's bucket is uniform and fixed within a rollout; it is the candidate's while its bucket
    is below the weight.
    """

    def __init__(
        self, load: Load, activity: Floats, rollouts: int, *, rng: Rng, last_fails: bool = False
    ) -> None:
        self._load = load
        self._shares = activity
        self._ends = np.cumsum(activity)
        self._last_fails = last_fails
        self._bucket = rng.random((rollouts, activity.size))
        self._fell = np.zeros((len(load.rates), rollouts, activity.size), dtype=bool)

    def tick(self, rng: Rng, weights: Floats, *, second: float) -> Floats:
        """See ``Traffic``."""
        clients = self._ends.size
        totals = rng.poisson(self._load.requests_per_second * TICK_SECONDS, weights.size)
        rollout = np.repeat(np.arange(weights.size), totals)
        position = rng.random(rollout.size) * self._ends[-1]
        client = np.minimum(np.searchsorted(self._ends, position, side="right"), clients - 1)
        unit = rollout * clients + client
        arm = np.where(self._bucket.ravel()[unit] < weights[rollout], CANDIDATE, STABLE)
        cell = rollout * 2 + arm
        counts = np.empty((weights.size, len(self._load.rates), 2, 4))
        for metric, rates in enumerate(self._load.rates_at(second)):
            bad = rng.random(unit.size) < rates[arm]
            if self._last_fails:
                bad |= client == clients - 1
            risk = self._at_risk(metric, unit, bad)
            events = (np.ones_like(bad), bad, risk, risk & bad)
            for field, event in enumerate(events):
                sums = np.bincount(cell, weights=event, minlength=2 * weights.size)
                counts[:, metric, :, field] = sums.reshape(-1, 2)
        return counts

    def _at_risk(self, metric: int, unit: NDArray[np.int64], bad: Bools) -> Bools:
        """Requests up to and including the unit's first bad event in this step."""
        fell = self._fell[metric].reshape(-1)
        order = np.arange(unit.size)
        first = np.full(fell.size, unit.size)
        np.minimum.at(first, unit[bad], order[bad])
        risk: Bools = ~fell[unit] & (order <= first[unit])
        fell[unit[bad]] = True
        return risk

    def stable_hour(self, rng: Rng, rollouts: int) -> Floats:
        """See ``Traffic``."""
        n = rng.poisson(self._load.requests_per_second * HOUR, (rollouts, 1))
        bad = rng.binomial(n, self.stable_rate())
        return np.stack(np.broadcast_arrays(n, bad), axis=-1) * 1.0

    def stable_rate(self) -> Floats:
        """See ``Traffic``."""
        failing = self._shares[-1] if self._last_fails else 0.0
        rate: Floats = failing + (1 - failing) * self._load.rates[:, STABLE]
        return rate

    def enter_step(self, rollouts: Bools) -> None:
        """See ``Traffic``."""
        self._fell[:, rollouts] = False

    def keep(self, kept: Bools) -> None:
        """See ``Traffic``."""
        self._bucket = self._bucket[kept]
        self._fell = np.ascontiguousarray(self._fell[:, kept])
