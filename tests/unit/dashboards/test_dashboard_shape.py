"""What a person sees on a dashboard: every panel says what it is, in which unit, and its place."""

import itertools
import json
from pathlib import Path

import pytest

from slipway_dashboards.answers import ANSWERS
from slipway_dashboards.boards import BOARDS
from slipway_dashboards.feeds import MISSING, RUNS, Feed, feeds_of
from slipway_dashboards.render import as_json, rendered

FOLDER = Path(__file__).parents[3] / "charts/slipway/files/dashboards"
BY_NAME = {board.name: board for board in BOARDS}
EACH = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


def drawn(board):
    return json.loads((FOLDER / f"{board.name}.json").read_text("utf-8"))


def panels(board):
    return [panel for panel in drawn(board)["panels"] if panel["type"] != "row"]


@EACH
def test_every_panel_has_title_unit_and_description(board):
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]


@EACH
def test_every_description_says_when_there_is_no_data(board):
    for panel in board.panels:
        assert MISSING[panel.fed_by] in panel.description


@EACH
def test_panels_do_not_overlap_and_stay_on_the_grid(board):
    taken = set()
    for panel in drawn(board)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells


@EACH
def test_the_datasource_is_a_variable_everywhere(board):
    page = drawn(board)
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels(board):
        assert panel["datasource"] == wanted
        assert all(target["datasource"] == wanted for target in panel["targets"])
    assert all(mark["datasource"] == wanted for mark in page["annotations"].get("list", []))
    first = page["templating"]["list"][0]
    assert (first["name"], first["type"]) == ("datasource", "datasource")


@EACH
def test_choices_take_several_values_or_all(board):
    choices = [choice for choice in drawn(board)["templating"]["list"] if choice["type"] == "query"]
    assert [choice["name"] for choice in choices] == [choice.name for choice in board.choices]
    for choice in choices:
        assert choice["multi"]
        assert choice["includeAll"]
        assert choice["allValue"] == ".*"


def test_uids_and_numbers_of_panels_are_unique():
    uids = [drawn(board)["uid"] for board in BOARDS]
    assert len(set(uids)) == len(uids)
    for board in BOARDS:
        numbers = [panel["id"] for panel in drawn(board)["panels"]]
        assert len(set(numbers)) == len(numbers)
        titles = [panel.title for panel in board.panels]
        assert len(set(titles)) == len(titles)


def test_uids_stay_because_alerts_and_bookmarks_hold_them():
    assert [board.uid for board in BOARDS] == [
        "slipway-rollout",
        "slipway-serving",
        "slipway-gateway",
        "slipway-training",
        "slipway-vision",
        "slipway-vector-store",
        "slipway-system",
        "slipway-operator",
    ]


@EACH
def test_the_same_code_gives_the_same_bytes(board):
    assert as_json(board) == as_json(board) == rendered()[f"{board.name}.json"]


@EACH
def test_dashboards_lead_to_one_another_with_time_and_choices(board):
    [link] = drawn(board)["links"]
    assert (link["tags"], link["includeVars"], link["keepTime"]) == (["slipway"], True, True)
    assert "slipway" in drawn(board)["tags"]


@EACH
def test_a_dashboard_fits_a_config_map(board):
    assert (FOLDER / f"{board.name}.json").stat().st_size < 500_000


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.question)
def test_each_question_has_panels_that_are_there(answer):
    titles = {panel.title for panel in BY_NAME[answer.board].panels}
    assert answer.panels
    assert set(answer.panels) <= titles


def test_each_feed_says_what_is_missing():
    assert MISSING.keys() == set(Feed)


def test_feeds_are_chosen_by_run_or_by_name():
    assert feeds_of("node") == {Feed.NODE}
    assert feeds_of("demo,gpu") == RUNS["demo"] | {Feed.GPU}
    with pytest.raises(ValueError, match="nothing"):
        feeds_of("nothing")
