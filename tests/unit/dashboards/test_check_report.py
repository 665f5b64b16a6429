"""What the check of a real Prometheus says, and when it is content."""

import pytest

from slipway_dashboards import check
from slipway_dashboards.asking import Answered, Prometheus, Span
from slipway_dashboards.feeds import Feed


def one(feed=Feed.TRAFFIC, **answered):
    return check.Asked(where="serving/Latency", expr="x", feed=feed, answered=Answered(**answered))


def report(*asked, rules=()):
    return check.Report(asked=asked, feeds=frozenset({Feed.TRAFFIC}), rules=rules)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        pytest.param(report(one(series=2)), [], id="data"),
        pytest.param(report(one(feed=Feed.GPU)), [], id="empty, and no wonder"),
        pytest.param(report(one()), ["empty    serving/Latency (fed by traffic)"], id="empty"),
        pytest.param(
            report(one(feed=Feed.GPU, refused="bad_data: no")),
            ["refused  serving/Latency: bad_data: no"],
            id="refused, whatever feeds it",
        ),
        pytest.param(
            report(one(series=1), rules=("Stuck: many-to-many",)),
            ["rule     Stuck: many-to-many"],
            id="a rule in trouble",
        ),
    ],
)
def test_what_is_wrong_is_said_first(told, says):
    *wrong, _ = (line.partition("\n")[0] for line in told.lines())
    assert wrong == says
    assert told.passed == (not says)


def test_the_last_line_is_the_sum():
    told = report(one(series=3), one(), one(feed=Feed.GPU, refused="no"), rules=("a", "b"))
    assert [*told.lines()][-1] == (
        "3 queries: 1 refused, 1 with data, 1 empty that should not be; 2 rules in trouble"
    )


def test_nan_is_no_figure(monkeypatch):
    series = [{"values": [[0, "NaN"], [1, "NaN"]]}, {"values": [[0, "NaN"], [1, "0"]]}]
    body = {"status": "success", "data": {"result": series}}
    monkeypatch.setattr(Prometheus, "_get", lambda *_: body)
    span = Span(start=0, end=1, step=1)
    assert Prometheus("http://nowhere").over("x", span) == Answered(series=1)


def test_an_unknown_feed_is_said(capsys):
    assert check.main(["--prometheus", "http://nowhere", "--fed-by", "wind"]) == 2
    assert "wind" in capsys.readouterr().err
