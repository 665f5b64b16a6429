"""From every alert there is a way to the panel that shows it, and from there to its runbook."""

import json
import re
from pathlib import Path

import pytest

from slipway_dashboards.alert_links import home, panel_path
from slipway_dashboards.boards import BOARDS
from slipway_rules.files import alerts

FOLDER = Path(__file__).parents[3] / "charts/slipway/files/dashboards"
ALERTS = alerts()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_a_panel_that_is_there(alert):
    uid, number = re.fullmatch(r"d/([\w-]+)\?viewPanel=(\d+)", panel_path(alert.page)).groups()
    boards = [json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")]
    [board] = [board for board in boards if board["uid"] == uid]
    [panel] = [panel for panel in board["panels"] if panel["id"] == int(number)]
    assert f"${{runbooks}}/{alert.page}" in [link["url"] for link in panel["links"]]


def test_no_panel_leads_to_a_runbook_without_alert():
    named = {name for board in BOARDS for panel in board.panels for name in panel.runbooks}
    assert named <= {alert.page.removesuffix(".md") for alert in ALERTS}


def test_an_alert_without_a_panel_is_said():
    assert home("no-such-alert.md") is None
    with pytest.raises(KeyError, match="add it to a panel"):
        panel_path("no-such-alert.md")
