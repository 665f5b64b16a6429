"""Turns: round robin between lanes, higher ranks first."""

from __future__ import annotations

from collections import Counter

from slipway_worker.lanes import Turns

RANKS = {"question": 0, "batch": -10}


def turns(*lanes: str) -> Turns:
    made = Turns(lambda lane: RANKS.get(lane.split(":")[0]))
    made.update(lanes)
    return made


def test_everybody_has_a_turn_before_anybody_has_two() -> None:
    made = turns("question:a", "question:b", "question:c")
    served = []
    for _ in range(6):
        served.append(made.order()[0])
        made.serve(served[-1])
    assert Counter(served) == dict.fromkeys(("question:a", "question:b", "question:c"), 2)
    assert len(set(served[:3])) == 3


def test_who_comes_new_is_next() -> None:
    made = turns("question:a", "question:b")
    made.serve("question:a")
    made.serve("question:b")
    made.update(["question:a", "question:b", "question:new"])
    assert made.order()[0] == "question:new"


def test_a_lower_rank_comes_after_all_of_the_higher() -> None:
    made = turns("batch:a", "question:a", "question:b")
    for _ in range(10):
        made.serve("question:a")
        made.serve("question:b")
    assert made.order()[-1] == "batch:a"


def test_an_unknown_kind_has_no_turn() -> None:
    assert turns("tomorrow:a", "question:a").known == ["question:a"]


def test_a_lane_that_was_away_is_new_again() -> None:
    made = turns("question:a", "question:b")
    made.serve("question:a")
    made.update(["question:b"])
    made.update(["question:a", "question:b"])
    assert made.order() == ["question:a", "question:b"]


def test_lanes_are_asked_together_as_far_as_they_fill_the_room() -> None:
    made = turns(*(f"question:{name}" for name in "abcde"))
    assert [len(group) for group in made.groups(8, limit=4)] == [2, 2, 1]
    assert [len(group) for group in made.groups(8, limit=0)] == [1, 1, 1, 5]
    assert [len(group) for group in made.groups(1, limit=4)] == [1, 1, 1, 5]
    assert [len(group) for group in made.groups(100, limit=4)] == [5]
    assert turns().groups(8, limit=4) == []
