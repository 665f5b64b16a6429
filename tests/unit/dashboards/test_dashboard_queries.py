"""Every query of every dashboard reads only what something emits, and its legend what it has."""

import json
import re
from pathlib import Path

import pytest

from slipway_dashboards.boards import BOARDS
from slipway_dashboards.reading import legend_labels, read
from slipway_dashboards.vocabulary import vocabulary

FOLDER = Path(__file__).parents[3] / "charts/slipway/files/dashboards"
KNOWN = vocabulary()


def shipped(board):
    return json.loads((FOLDER / f"{board.name}.json").read_text("utf-8"))


def panels(board):
    return [panel for panel in shipped(board)["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_shipped_queries_name_only_what_is_emitted(board):
    wrong = {}
    for panel in panels(board):
        for target in panel["targets"]:
            reading = read(target["expr"], KNOWN)
            unknown = legend_labels(target["legendFormat"]) - reading.labels
            mistakes = [*reading.mistakes, *(f"legend without {label}" for label in unknown)]
            if mistakes:
                wrong[f"{panel['title']} {target['refId']}"] = mistakes
    assert not wrong


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_variables_and_marks_name_only_what_is_emitted(board):
    wrong = {}
    for mark in shipped(board).get("annotations", {}).get("list", []):
        reading = read(mark["expr"], KNOWN)
        named = legend_labels(mark["titleFormat"]) | legend_labels(mark["textFormat"])
        wrong[mark["name"]] = [*reading.mistakes, *(named - reading.labels)]
    for choice in shipped(board)["templating"]["list"]:
        if choice["type"] == "query":
            source, label = re.fullmatch(
                r"label_values\((.+), (\w+)\)", choice["query"]["query"]
            ).groups()
            reading = read(source, KNOWN)
            wrong[choice["name"]] = [*reading.mistakes, *({label} - reading.labels)]
    assert not {name: mistakes for name, mistakes in wrong.items() if mistakes}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_every_variable_of_a_query_is_on_its_dashboard(board):
    have = {choice["name"] for choice in shipped(board)["templating"]["list"]}
    texts = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    texts += [mark["expr"] for mark in shipped(board).get("annotations", {}).get("list", [])]
    named = {name for text in texts for name in re.findall(r"\$\{?([a-z]+)\}?", text)}
    assert named <= have


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_chosen_variable_reaches_some_query(board):
    every = "".join(target["expr"] for panel in panels(board) for target in panel["targets"])
    assert [choice.name for choice in board.choices if f"${choice.name}" not in every] == []


def test_a_rate_looks_over_the_window_that_grafana_gives():
    windows = {
        window
        for board in BOARDS
        for panel in panels(board)
        for target in panel["targets"]
        for window in re.findall(r"\[([^\]]+)\](?=\)| offset)", target["expr"])
    }
    assert windows == {"$__rate_interval", "$__range"}
