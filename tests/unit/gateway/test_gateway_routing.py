"""Units, split, fence, guard weight and retry target."""

from __future__ import annotations

import re

import pytest

from slipway_contracts.route import BackendRoute, GuardRoute, ModelRoute
from slipway_gateway import routing
from slipway_gateway.ask import Ask
from slipway_gateway.control.route import Route
from slipway_gateway.routing import Hints, choose, is_fenced, retry_on, unit_hash, unit_of


def ask(**fields):
    return Ask(**{"model": "demo", "path": "/v1/chat/completions", "body": b""} | fields)


def arm(version, weight, role):
    return BackendRoute(version=version, weight=weight, url=f"http://{version}", role=role)


def canary(weight=10, **fields):
    backends = (arm("v2", weight, "candidate"), arm("v1", 100 - weight, "stable"))
    guard = GuardRoute(candidate="v2", stable="v1", rollout_id="r")
    fields = {"model": "demo", "salt": "uid", "backends": backends, "guard": guard} | fields
    return Route(ModelRoute(**fields))


ME = Hints(caller="key:1")


def test_an_explicit_conversation_is_the_unit_whoever_asks():
    route = canary()
    header = unit_of(route, ask(first="a"), Hints(caller="key:1", conversation="c1"))
    other = unit_of(route, ask(first="b"), Hints(caller="key:2", conversation="c1"))
    assert header == other == "c:c1"
    assert unit_of(route, ask(conversation="c1"), ME) == "c:c1"


def test_the_header_wins_over_the_body():
    hints = Hints(caller="key:1", conversation="header")
    assert unit_of(canary(), ask(conversation="body"), hints) == "c:header"


def test_a_chat_that_resends_its_history_keeps_its_unit():
    route = canary()
    first = unit_of(route, ask(system="s", first="hello", text="hello"), ME)
    later = unit_of(route, ask(system="s", first="hello", text="and then?"), ME)
    assert first == later


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((ask(system="s", first="b"), ME), id="other first message"),
        pytest.param((ask(system="t", first="a"), ME), id="other system prompt"),
        pytest.param((ask(system="s", first="a"), Hints(caller="key:2")), id="other key"),
        pytest.param((ask(system="sa", first=""), ME), id="same text, other cut"),
    ],
)
def test_a_fingerprint_tells_apart(other):
    assert unit_of(canary(), ask(system="s", first="a"), ME) != unit_of(canary(), *other)


def test_stickiness_by_user_falls_back_to_the_key_and_by_key_ignores_the_rest():
    by_user, by_key = canary(stickiness="User"), canary(stickiness="Key")
    named = Hints(caller="key:1", user="ann", conversation="c")
    assert unit_of(by_user, ask(), named) == "u:ann"
    assert unit_of(by_user, ask(user="bob"), ME) == "u:bob"
    assert unit_of(by_user, ask(first="x"), ME) == "k:key:1"
    assert unit_of(by_key, ask(user="bob"), named) == "k:key:1"


def test_unit_hash_is_stable_and_survives_odd_text():
    assert unit_hash("c:1") == unit_hash("c:1") != unit_hash("c:2")
    assert len(unit_hash("\ud800")) == 16


@pytest.mark.parametrize("of", [ME, Hints(caller="key:1", conversation="c1")])
def test_units_that_differ_have_hashes_that_differ(of):
    asks = [ask(first=f"{n}", conversation=None) for n in range(100)]
    units = {unit_of(canary(), one, of) for one in asks}
    hashes = {unit_hash(unit) for unit in units}
    assert len(hashes) == len(units)
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in hashes)


def test_raising_the_weight_never_moves_a_unit_back():
    units = [f"c:{i}" for i in range(2000)]
    taken: set[str] = set()
    for weight in (5, 10, 25, 50, 99):
        route = canary(weight)
        now = {u for u in units if choose(route, u, fenced=False, tripped=False).version == "v2"}
        assert taken <= now
        assert abs(len(now) / len(units) - weight / 100) < 0.04
        taken = now


@pytest.mark.parametrize(("fenced", "tripped"), [(True, False), (False, True), (True, True)])
def test_a_fence_or_a_tripped_guard_leaves_nothing_to_the_candidate(fenced, tripped):
    route = canary(90)
    for i in range(200):
        assert choose(route, f"c:{i}", fenced=fenced, tripped=tripped).version == "v1"


def test_the_only_version_serves_on_behind_the_fence():
    route = Route(ModelRoute(model="demo", salt="s", backends=(arm("v2", 100, "candidate"),)))
    assert choose(route, "c:1", fenced=True, tripped=True).version == "v2"


def test_a_fixed_split_is_not_fenced():
    fixed = (arm("a", 50, "fixed"), arm("b", 50, "fixed"))
    route = Route(ModelRoute(model="demo", salt="s", backends=fixed))
    free = [choose(route, f"c:{i}", fenced=False, tripped=False).version for i in range(100)]
    fenced = [choose(route, f"c:{i}", fenced=True, tripped=False).version for i in range(100)]
    assert free == fenced
    assert set(free) == {"a", "b"}


def test_nothing_serves():
    assert (
        choose(Route(ModelRoute(model="demo", salt="s")), "u", fenced=False, tripped=False) is None
    )


def test_the_previous_version_after_promotion_is_not_fenced_and_retries_on_the_new():
    backends = (arm("v2", 95, "stable"), arm("v1", 5, "previous"))
    route = Route(ModelRoute(model="demo", salt="s", backends=backends))
    seen = {choose(route, f"c:{i}", fenced=True, tripped=False).version for i in range(500)}
    assert seen == {"v1", "v2"}
    assert retry_on(route, backends[1]).version == "v2"


def test_who_answers_a_retry():
    route = canary()
    candidate, stable = route.backends
    assert retry_on(route, candidate) == stable
    assert retry_on(route, stable) == stable
    arms = (arm("a", 50, "fixed"), arm("b", 50, "fixed"))
    fixed = ModelRoute(model="demo", salt="s", backends=arms)
    assert retry_on(fixed, arms[0]) == arms[0]


def test_the_fence_is_ten_seconds():
    assert not is_fenced(110.0, 100.0)
    assert is_fenced(110.01, 100.0)
    assert is_fenced(0.0, float("-inf"))


def test_salts_are_independent():
    """Who is in one rollout's first tenth is not the same people in the next."""
    one, two = canary(10, salt="a"), canary(10, salt="b")
    units = [f"c:{i}" for i in range(5000)]

    def chosen(route):
        return {u for u in units if choose(route, u, fenced=False, tripped=False).version == "v2"}

    both = chosen(one) & chosen(two)
    assert len(both) < 0.03 * len(units)


def test_routing_module_is_pure():
    forbidden = ("fastapi", "starlette", "aiohttp", "uvicorn")
    assert not [name for name in vars(routing) if name in forbidden]
