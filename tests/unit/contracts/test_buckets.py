"""Routes: who gets which version, and that raising a weight moves nobody back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_contracts.split import BUCKETS, Split
from slipway_gateway.control.route import Route

UNITS = [f"unit-{number}" for number in range(20_000)]


def a_route(weight: int, *, salt: str = "salt") -> ModelRoute:
    """Candidate first, as the operator writes it."""
    return ModelRoute(
        model="m",
        salt=salt,
        backends=(
            BackendRoute(version="new", weight=weight, url="http://n", role="candidate"),
            BackendRoute(version="old", weight=100 - weight, url="http://o"),
        ),
    )


def version(route: ModelRoute, unit: str) -> str:
    backend = Route(route).version_for(unit)
    assert backend is not None
    return backend.version


@given(st.text(max_size=64), st.text(max_size=200))
def test_a_bucket_is_in_range_and_stable(salt: str, unit: str) -> None:
    bucket = Split(salt).bucket(unit)
    assert 0 <= bucket < BUCKETS
    assert bucket == Split(salt).bucket(unit)


def test_buckets_are_uniform() -> None:
    """Chi-square over 100 groups; 99 degrees of freedom, 160 is far beyond its 99.99 % quantile."""
    counts = [0] * 100
    for unit in UNITS:
        counts[Split("salt").bucket(unit) // 100] += 1
    expected = len(UNITS) / 100
    assert sum((count - expected) ** 2 / expected for count in counts) < 160


def test_salts_are_independent() -> None:
    """A unit that had the first candidate has the second one with its own odds, not surely."""
    both = sum(Split("a").bucket(u) < 1000 and Split("b").bucket(u) < 1000 for u in UNITS) / len(
        UNITS
    )
    assert abs(both - 0.01) < 0.004


@given(
    st.lists(st.integers(0, 100), min_size=2, max_size=8).map(sorted),
    st.text(min_size=1, max_size=20),
)
def test_raising_the_weight_never_moves_a_unit_back(weights: list[int], salt: str) -> None:
    for unit in UNITS[:200]:
        seen = [version(a_route(weight, salt=salt), unit) for weight in weights]
        assert seen == sorted(seen, reverse=True), "old … old new … new"


@pytest.mark.parametrize("weight", [0, 1, 5, 50, 99, 100])
def test_the_candidate_gets_its_share(weight: int) -> None:
    route = a_route(weight)
    share = sum(version(route, unit) == "new" for unit in UNITS) / len(UNITS)
    assert abs(share - weight / 100) < 0.015
    assert weight not in {0, 100} or share == weight / 100


def test_nothing_serves_without_backends() -> None:
    assert Route(ModelRoute(model="m", salt="s")).version_for("unit") is None


@pytest.mark.parametrize("weights", [(50, 49), (100, 1), (0, 0)])
def test_weights_must_sum_to_100(weights: tuple[int, int]) -> None:
    backends = [{"version": str(i), "weight": w, "url": "u"} for i, w in enumerate(weights)]
    with pytest.raises(ValidationError, match="sum to 100"):
        ModelRoute.model_validate({"model": "m", "salt": "s", "backends": backends})


def test_a_route_survives_the_wire() -> None:
    route = a_route(10)
    assert ModelRoute.model_validate(route.wire()) == route


def test_buckets_are_frozen() -> None:
    # Two gateways of different releases must send a conversation to the same version.
    assert [Split("uid").bucket(f"c{n}") for n in range(3)] == [68, 5159, 4790]
