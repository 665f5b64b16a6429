"""Weights, windows and confirmations out of sampled routes and heartbeats."""

from __future__ import annotations

import math

import pytest
from demo_evidence import a_timeline

from slipway_cli.demo.timeline import RisingWindow, relative, rising_windows

CANARY = (
    (0, {"v1": 100}),
    (10, {"v2": 10, "v1": 90}),
    (20, {"v2": 50, "v1": 50}),
    (30, {"v2": 95, "v1": 5}),
    (40, {"v2": 100}),
)
ROLLBACK = (*CANARY, (50, {"v3": 10, "v2": 90}), (60, {"v2": 100}))


def test_weights_are_changes_only():
    timeline = a_timeline(*ROLLBACK)
    assert timeline.weights_of("v2") == [
        (10, 10),
        (20, 50),
        (30, 95),
        (40, 100),
        (50, 90),
        (60, 100),
    ]
    assert timeline.weights_of("v3") == [(50, 10), (60, 0)]
    assert timeline.weights_of("v4") == []
    assert relative(timeline.weights_of("v3"), 8) == [[42, 10], [52, 0]]


def test_a_shadowed_version_has_no_weight():
    timeline = a_timeline((0, {"v1": 100}), (5, {"v2": 0, "v1": 100}))
    assert timeline.weights_of("v2") == []


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param(CANARY[:1], [("v1", 0, math.inf)], id="first version"),
        pytest.param(CANARY, [("v1", 0, 10), ("v2", 10, math.inf)], id="promotion"),
        pytest.param(
            ROLLBACK,
            [("v1", 0, 10), ("v2", 10, 50), ("v2", 60, math.inf), ("v3", 50, 60)],
            id="rollback: a fall opens no window",
        ),
        pytest.param(
            ((0, {"v2": 10, "v1": 90}), (5, {"v2": 50, "v1": 50}), (9, {"v2": 10, "v1": 90})),
            [("v2", 0, 9), ("v1", 0, 5), ("v1", 9, math.inf)],
            id="a weight that goes back closes the window",
        ),
    ],
)
def test_rising_windows(points, expected):
    found = rising_windows(a_timeline(*points))
    assert sorted((w.version, w.begin, w.end) for w in found) == sorted(expected)
    assert all(isinstance(window, RisingWindow) for window in found)


def test_withdrawn_is_the_revision_that_took_the_last_weight():
    timeline = a_timeline(*ROLLBACK)
    last = timeline.withdrawn("v3")
    assert last is not None
    assert (last.at, last.revision) == (60, 7)
    assert timeline.withdrawn("v2") is None
    assert timeline.withdrawn("v4") is None


def test_an_older_revision_changes_nothing():
    timeline = a_timeline(*CANARY)
    assert not timeline.add_route(timeline.routes[0])
    assert len(timeline.routes) == len(CANARY)


def test_roles():
    timeline = a_timeline(*ROLLBACK)
    assert timeline.first_as("v2", "candidate") == 10
    assert timeline.first_as("v2", "stable") == 30
    assert timeline.first_as("v3", "stable") is None


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        pytest.param([], None, id="no gateway"),
        pytest.param([("g0", 7, 60.1)], 60.1, id="one"),
        pytest.param([("g0", 7, 60.1), ("g1", 7, 60.4)], 60.4, id="the last one counts"),
        pytest.param([("g0", 7, 60.1), ("g1", 6, 60.4)], None, id="one is behind"),
        pytest.param([("g0", 7, 60.1), ("g0", 7, 62.0)], 60.1, id="the first beat counts"),
        pytest.param([("g0", 6, 59.0), ("g0", 9, 60.3)], 60.3, id="a later revision confirms too"),
        pytest.param([("g0", 7, 60.1), ("dead", 5, 20.0)], 60.1, id="a dead one is not waited for"),
    ],
)
def test_applied_everywhere(beats, expected):
    timeline = a_timeline(*ROLLBACK)
    for gateway, revision, at in beats:
        timeline.add_heartbeat(gateway, revision=revision, at=at)
    assert timeline.applied_everywhere(7, since=50) == expected
