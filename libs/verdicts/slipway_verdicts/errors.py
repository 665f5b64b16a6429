"""The error tree of the verdicts.

VerdictError
├── CountsError   NaN, negative, bad > n, unknown metric: ``judge`` answers Error
└── PlanError     a plan that makes no sense: raised to the caller, who built it
"""

from __future__ import annotations


class VerdictError(ValueError):
    """Base of all errors of this package."""


class CountsError(VerdictError):
    """Counts that no honest source can have produced."""


class PlanError(VerdictError):
    """A plan that cannot be judged by; the message names the field and the fix."""
