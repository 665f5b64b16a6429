"""The local guard: 50 % of at least 20, while stable is below 10 %."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from slipway_contracts.attempt import Attempt
from slipway_contracts.route import GuardRoute
from slipway_gateway.guard import Guard

RULE = GuardRoute(candidate="v2", stable="v1", rollout_id="r1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def attempt(version, **fields):
    base = {
        "request_id": "r", "attempt": 1, "timestamp": NOW, "started_at": NOW, "gateway": "0",
        "route": "/v1/chat/completions", "model_name": "demo", "version": version,
        "routes_revision": 1, "unit_hash": "u", "status": 200, "processing_time_ms": 1.0,
    }  # fmt: skip
    return Attempt(**base | fields)


def feed(guard, *, bad, good, stable_good=100, stable_bad=0, kind="error"):
    """Stable first, then the candidate's good, then its bad; the trip and where it came."""
    for flag, count in ((True, stable_bad), (False, stable_good)):
        for _ in range(count):
            assert guard.observe(RULE, attempt("v1", error=flag)) is None
    for number in range(good + bad):
        fields = {kind: True} if number >= good else {}
        trip = guard.observe(RULE, attempt("v2", **fields))
        if trip is not None:
            return trip, number + 1
    return None, good + bad


@pytest.mark.parametrize("kind", ["error", "refused", "empty", "schema_invalid"])
def test_trips_at_the_twentieth_request(kind):
    guard = Guard()
    trip, at = feed(guard, good=0, bad=30, kind=kind)
    assert at == 20
    assert (trip.candidate_requests, trip.candidate_bad, trip.rollout_id) == (20, 20, "r1")
    assert guard.is_tripped("demo", "r1")
    assert not guard.is_tripped("demo", "r2")


@pytest.mark.parametrize(
    ("given", "tripped"),
    [
        pytest.param({"good": 10, "bad": 10}, True, id="exactly half"),
        pytest.param({"good": 11, "bad": 10}, False, id="less than half"),
        pytest.param({"good": 0, "bad": 19}, False, id="too few"),
        pytest.param({"good": 0, "bad": 40, "stable_good": 90, "stable_bad": 10}, False,
                     id="stable at 10 %"),
        pytest.param({"good": 0, "bad": 40, "stable_good": 91, "stable_bad": 9}, True,
                     id="stable below 10 %"),
        pytest.param({"good": 0, "bad": 40, "stable_good": 0}, False, id="stable unknown"),
        pytest.param({"good": 0, "bad": 40, "kind": "truncated"}, False, id="truncated is not"),
        pytest.param({"good": 0, "bad": 40, "kind": "shadow"}, False, id="copies do not count"),
        pytest.param({"good": 0, "bad": 40, "kind": "client_gone"}, False, id="clients that left"),
    ],
)  # fmt: skip
def test_when_it_trips(given, tripped):
    trip, _ = feed(Guard(), **given)
    assert (trip is not None) == tripped


def test_says_so_once_and_forgets_with_the_rollout():
    guard = Guard()
    feed(guard, good=0, bad=20)
    assert guard.observe(RULE, attempt("v2", error=True)) is None
    guard.keep_only({("demo", "r1")})
    assert guard.is_tripped("demo", "r1")
    guard.keep_only(set())
    assert not guard.is_tripped("demo", "r1")


def test_other_versions_do_not_count():
    guard = Guard()
    for _ in range(50):
        assert guard.observe(RULE, attempt("v0", error=True)) is None
