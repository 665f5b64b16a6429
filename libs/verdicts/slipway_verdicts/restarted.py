"""Restarting: so that a good past cannot pay for a bad present.

A plain e-process that watched a good hour is deep below 1 and needs as much bad evidence only to
come back. So one is started every minute, E⁽ᵏ⁾ from minute k on (1 before), and they are mixed:
M = Σ_k E⁽ᵏ⁾ / (k (k + 1)). The weights sum to 1, so M starts at 1 and is an e-process whatever the
minute of the change; finding a change in minute k costs log k(k + 1) nats.

With S the running sum of the increments and s_k its value when k starts, the mixture over one
alternative is exp(S) · Σ_k exp(−s_k)/(k (k + 1)): one running sum, so all looks cost O(ticks).

Source: Shin, Ramdas and Rinaldo, *E-detectors: a nonparametric framework for sequential change
detection*, 2023 (mixtures of e-processes started at each time).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from slipway_verdicts.grid import Floats, log_mean_exp

RESTART_TICKS = 12


def minutes_of(ticks: NDArray[np.int64], *, first: int) -> NDArray[np.int64]:
    """Minute of each tick, counted from the rollout's first tick (0, 1, …)."""
    return (ticks - first) // RESTART_TICKS


def mixture_path(increments: Floats, minutes: NDArray[np.int64]) -> Floats:
    """log M after every tick.

    ``increments``: (ticks, …, alternatives); ``minutes``: (ticks,), rising. A minute without ticks
    starts its process at the next tick, which is the same thing. Processes that have not begun
    count with their 1. Result: (ticks, …).
    """
    shape = (-1,) + (1,) * (increments.ndim - 1)
    before = np.concatenate(([-1], minutes[:-1]))
    started = log_started(before, minutes).reshape(shape)
    sums = np.cumsum(increments, axis=0)
    starts = np.logaddexp.accumulate(started - (sums - increments), axis=0)
    unstarted = log_unstarted(minutes).reshape(shape[:-1])
    return np.logaddexp(log_mean_exp(sums + starts), unstarted)


def log_started(before: NDArray[np.int64], now: NDArray[np.int64]) -> Floats:
    """log weight of the processes that start after minute ``before`` (−1: none) up to ``now``.

    Σ 1/(k (k + 1)) for k = before + 2 … now + 1 = 1/(before + 2) − 1/(now + 2).
    """
    weight = 1.0 / (before + 2.0) - 1.0 / (now + 2.0)
    return np.log(weight, where=weight > 0, out=np.full(weight.shape, -np.inf))


def log_unstarted(now: NDArray[np.int64]) -> Floats:
    """log of the weight of the processes that have not begun by minute ``now``."""
    result: Floats = -np.log(now + 2.0)
    return result
