"""The report's page: whole, escaped, and honest about what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cli_fakes import Cli
from told_lives import a_rolled_back_life, situations

from slipway_cli.explain.explaining import explain
from slipway_cli.report.life import stations
from slipway_cli.report.material import Material
from slipway_cli.report.page import page
from slipway_cli.report.scale import (
    nice_ticks,
    span_of,
    thinned,
    time_label,
    time_ticks,
)
from slipway_cli.report.svg import stacked
from slipway_cli.resources import Kind

HOSTILE = "</style></title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;"
LOADING = {"script", "img", "iframe", "object", "embed", "base", "form", "a"}


class Tags(HTMLParser):
    """What a browser would make of it, tags and attributes only."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "link", "line"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def empty(name: str) -> Material:
    situation = situations()[name]
    return Material(
        situation=situation,
        explanation=explain(situation),
        measurements=(),
        progress=(),
        traffic=(),
        bucket=0,
        events=(),
    )


def test_it_is_whole_and_loads_nothing() -> None:
    html = page(a_rolled_back_life())
    found = Tags(html)
    assert found.open == []
    assert not LOADING & set(found.tags)
    for name, value in found.attributes:
        assert not name.startswith("on")
        assert name != "src"
        assert name != "href" or (value or "").startswith("data:")
    assert "http://www.w3.org" in html  # the icon's namespace; and no other address:
    assert html.count("http") == 1 + html.count("http-equiv")
    assert len(html) < 200_000


def test_it_says_what_a_person_asks() -> None:
    html = page(a_rolled_back_life())
    for text in (
        "mv/v3 of chat is RolledBack (AnalysisFailed",
        "Stations of its life",
        "Training: loss by optimizer step",
        "truncated: share of bad requests",
        "Traffic of the Model by version",
        "≤ 4, ≤ baseline + 2.00% = 3.009",
        "sha256:" + "d" * 64,
        "Step 2: 50 %",
    ):
        assert text in html, text


def test_titles_and_descriptions_are_there_for_every_drawing() -> None:
    html = page(a_rolled_back_life())
    assert html.count("<svg ") == html.count('role="img"') == 5
    assert html.count("<desc ") == 5


def test_no_text_becomes_markup() -> None:
    html = page(a_rolled_back_life(name=HOSTILE, said=HOSTILE))
    assert HOSTILE not in html
    assert "<script" not in html
    assert "<img" not in html
    assert not LOADING & set(Tags(html).tags)


@pytest.mark.parametrize("name", situations())
def test_every_situation_has_a_page(name: str) -> None:
    """Also before anything was measured."""
    html = page(empty(name))
    assert Tags(html).open == []
    assert "None" not in html.replace("&lt;none&gt;", "")


def test_what_is_left_out_is_said() -> None:
    html = page(replace(a_rolled_back_life(), left_out=("the judgements <are> away",)))
    assert "the judgements &lt;are&gt; away" in html


def test_stations_follow_one_another() -> None:
    found = stations(a_rolled_back_life().situation)
    names = [s.name for s in found]
    assert names == ["Training", "Evaluation", "Step 1: 10 %", "Step 2: 50 %", "Drain"]
    assert all(s.end is None or s.end >= s.start for s in found)
    assert found[-1].name == "Drain"
    assert found[-2].tone == "bad"


def test_ticks() -> None:
    assert nice_ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert nice_ticks(0.013, 0.017) == pytest.approx([0.013, 0.014, 0.015, 0.016, 0.017])
    assert time_ticks(0, 120) == [0, 30, 60, 90, 120]
    assert time_ticks(0, 30 * 86_400)[1] == 5 * 86_400
    assert time_label(3661, span=100) == "01:01:01"
    assert time_label(3661, span=5000) == "01:01"
    assert time_label(3661, span=400_000) == "01-01 01:01"


def test_a_flat_line_has_a_range() -> None:
    assert span_of([2.0, 2.0]) == (2.0, 4.0)
    assert span_of([0.0], zero=True) == (0.0, 1.0)


def test_thinning_keeps_every_peak() -> None:
    points = [(float(x), 1.0 if x == 777 else 0.0) for x in range(10_000)]
    kept = thinned(points, 100)
    assert len(kept) <= 100
    assert (777.0, 1.0) in kept
    assert kept == sorted(kept)


def test_layers_stand_on_each_other() -> None:
    lower, upper = stacked([("a", [(0, 1), (1, 2)]), ("b", [(0, 3), (1, 4)])], ["one"])
    assert upper.base == lower.points
    assert upper.points == [(0, 4), (1, 6)]


def test_the_verb_writes_the_file(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.objects.put(Kind.VERSION, "v1", {"model": "m", "source": {"random": {}}})
    file = tmp_path / "out.html"
    ran = cli.run("report", "v1", "-o", str(file))
    assert (ran.code, ran.out) == (0, f"{file}\n")
    assert "v1 of m: Pending" in file.read_text()
    assert cli.run("report", "v1", "-o", "-").out.startswith("<!doctype html>")
    assert "give another --output" in cli.run("report", "v1", "-o", str(tmp_path)).err
    cli.in_cluster = True
    cli.run("report", "v1", "-o", str(file))
    assert "made outside the cluster" in file.read_text()
