"""Bounded label values, and families as a page and as prometheus_client has them."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from slipway_contracts.metrics.kinds import OTHER, Label, MetricName, Owner
from slipway_telemetry.bounded import Book, Names
from slipway_telemetry.buckets import Buckets
from slipway_telemetry.client import Source, client_counter
from slipway_telemetry.families import Family, fitted, gauge
from slipway_telemetry.page import pieces, plain

NAME, WORD = Label(name="name", bound=2), Label(name="word", values=("a", "b"))


def metric(kind: str = "gauge", *of: Label, name: str = "x", buckets=()) -> MetricName:
    return MetricName(
        name=name, kind=kind, of=of, help="Of a test.", owner=Owner.GATEWAY, buckets=buckets
    )


class Entry:
    def __init__(self) -> None:
        self.moved = 0


def a_histogram(*values: float) -> Buckets:
    buckets = Buckets((0.1, 1, 5))
    for value in values:
        buckets.observe(value)
    return buckets


def every_kind() -> list[Family]:
    odd = 'quo"ted\\ and\nbroken'
    return [
        gauge(metric(name="plain"), 1.5),
        Family(
            metric=metric("counter", WORD, NAME, name="c_total"),
            samples=[(("b", odd), 3), (("a", "é"), 1e21)],
        ),
        Family(
            metric=metric("histogram", NAME, name="h_seconds", buckets=(0.1, 1, 5)),
            samples=[(("one",), a_histogram(0.05, 0.1, 0.2, 7)), (("two",), a_histogram())],
        ),
        Family(
            metric=metric("histogram", name="bare_seconds", buckets=(0.1, 1, 5)),
            samples=[((), a_histogram(2.0))],
        ),
        Family(metric=metric("gauge", NAME, name="empty"), samples=[]),
    ]


def test_a_page_is_what_prometheus_client_would_write() -> None:
    registry = CollectorRegistry()
    registry.register(Source(every_kind))
    theirs = generate_latest(registry).decode()
    ours = "".join(pieces(every_kind()))

    def parsed(text: str) -> list:
        families = text_string_to_metric_families(text)
        return [
            (
                f.name,
                f.type,
                f.documentation,
                sorted((s.name, str(sorted(s.labels.items())), s.value) for s in f.samples),
            )
            for f in families
        ]

    assert parsed(ours) == parsed(theirs)
    assert 'h_seconds_bucket{name="one",le="5.0"} 3.0\n' in ours
    assert 'h_seconds_bucket{name="one",le="+Inf"} 4.0\n' in ours


def test_as_plain_data_a_histogram_is_its_count_and_sum() -> None:
    told = plain(every_kind())
    assert told["plain"] == [{"labels": {}, "value": 1.5}]
    assert told["h_seconds_count"][0] == {"labels": {"name": "one"}, "value": 4}
    assert told["h_seconds_sum"][1]["value"] == 0.0
    assert "empty" not in told


def test_names_beyond_the_bound_are_told_together() -> None:
    samples = [((name, "a"), 1.0) for name in ("one", "two", "three", "four", "one")]
    family = fitted(metric("gauge", NAME, WORD), samples, Names(), merge=lambda a, b: a + b)
    assert dict(family.samples) == {("one", "a"): 2.0, ("two", "a"): 1.0, (OTHER, "a"): 2.0}


def test_a_scrapes_metrics_share_the_names_that_fit() -> None:
    names = Names()
    of = (NAME,)
    assert [names.fit(of, (name,)) for name in ("a", "b", "c", "a")] == [
        ("a",),
        ("b",),
        (OTHER,),
        ("a",),
    ]


def test_a_book_never_grows_beyond_its_limit() -> None:
    book: Book[str, Entry] = Book(3, Entry)
    for i in range(10_000):
        book[f"n{i}"].moved += 1
    assert sorted(book) == ["n0", "n1", "n2"]
    assert book.other.moved == 9_997


@pytest.mark.parametrize("kept", [True, False])
def test_what_does_not_move_leaves_a_book_unless_it_is_kept(*, kept: bool) -> None:
    book: Book[str, Entry] = Book(10, Entry)
    book["idle"].moved = 1
    book["busy"].moved = 1
    for now in (0.0, 50.0, 99.0):
        book.forget(now, idle=100, keep=lambda _: kept)
        book["busy"].moved += 1
    assert set(book) == {"idle", "busy"}
    book.forget(101.0, idle=100, keep=lambda _: kept)
    assert set(book) == ({"idle", "busy"} if kept else {"busy"})


def test_a_place_that_was_left_is_given_again() -> None:
    book: Book[str, Entry] = Book(1, Entry)
    book["old"].moved = 1
    assert book["new"] is book.other
    book.forget(0.0, idle=1, keep=lambda _: False)
    book.forget(1.0, idle=1, keep=lambda _: False)
    assert book["new"] is not book.other


def test_a_counter_of_closed_labels_begins_at_zero() -> None:
    registry = CollectorRegistry()
    client_counter(metric("counter", WORD, name="c_total"), registry)
    assert [registry.get_sample_value("c_total", {"word": w}) for w in WORD.values] == [0, 0]
