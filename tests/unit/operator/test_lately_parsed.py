"""What was parsed lately is found by uid and resource version, and only so much of it is kept."""

from __future__ import annotations

from slipway_operator.platforms.kubernetes.lately import Lately


def test_only_the_very_version_is_found() -> None:
    lately: Lately[str] = Lately()
    lately.put(("a", "1"), "one")
    assert lately.get(("a", "1")) == "one"
    assert lately.get(("a", "2")) is None
    assert lately.get(("b", "1")) is None
    lately.put(("a", "2"), "two")
    assert lately.get(("a", "1")) is None


def test_what_was_not_asked_for_longest_goes_first() -> None:
    lately: Lately[str] = Lately(limit=2)
    lately.put(("a", "1"), "a")
    lately.put(("b", "1"), "b")
    lately.get(("a", "1"))
    lately.put(("c", "1"), "c")
    assert [lately.get((uid, "1")) for uid in "abc"] == ["a", None, "c"]
