"""Every enum, pattern, bound and length of both specs: what just keeps it is accepted, what is one
beyond is refused with the field's path and what would be right.
"""

from __future__ import annotations

import pytest
from admission import Admission
from crd_schema import ITEM, Limit, limits
from limit_samples import broken, kept

# What the API server says when a keyword is broken; each tells what would be right.
FIXES = {
    "enum": "supported values:",
    "pattern": "should match",
    "minimum": "should be greater than",
    "maximum": "should be less than",
    "minLength": "should be at least",
    "maxLength": "may not be more than",
    "minItems": "should have at least",
    "maxItems": "must have at most",
    "maxProperties": "must have at most",
}
LIMITS = limits()


def test_there_are_limits_to_test() -> None:
    assert {limit.keyword for limit in LIMITS} == set(FIXES)
    assert len(LIMITS) > 300


@pytest.mark.parametrize("limit", LIMITS, ids=[limit.id for limit in LIMITS])
def test_a_limit_holds_both_ways(admission: Admission, limit: Limit) -> None:
    for body in kept(limit):
        answer = admission.create(body)
        assert answer.accepted, answer.message
    for body in broken(limit):
        answer = admission.create(body)
        assert answer.status == 422, f"accepted: {body}"
        assert _named(limit) in " ".join(answer.fields), answer.message
        assert FIXES[limit.keyword] in answer.message


def _named(limit: Limit) -> str:
    """The path as the API server writes it, up to a map's own key."""
    path = ".".join(limit.path).replace(f".{ITEM}", "[0]")
    return path.removesuffix("{}").rstrip(".")
