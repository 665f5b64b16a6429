"""The alternatives that every e-process averages over, and the average itself.

A likelihood ratio against one alternative is an e-process for its null; so is the average over a
fixed set of alternatives (the method of mixtures, Robbins 1970; Ramdas, Grünwald, Vovk and Shafer,
*Game-theoretic statistics and safe anytime-valid inference*, 2023). Whole paths are averaged,
never their logs: an average of logs would be one bet that must be right everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID: Floats = np.array([1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0])
GRID.flags.writeable = False


def log_mean_exp(logs: Floats) -> Floats:
    """log of the mean of exp over the last axis, without overflow."""
    top = logs.max(axis=-1)
    mean = np.exp(logs - top[..., None]).mean(axis=-1)
    result: Floats = top + np.log(mean)
    return result
