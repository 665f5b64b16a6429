"""Every rule that ships reads only what something emits, and says only labels that it has."""

from pathlib import Path

import pytest
import yaml

from slipway_dashboards.reading import alert_labels, read
from slipway_dashboards.vocabulary import vocabulary

FOLDER = Path(__file__).parents[3] / "charts/slipway/files/rules"
KNOWN = vocabulary()
RULES = [
    (path.stem, rule)
    for path in sorted(FOLDER.glob("*.yaml"))
    for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    for rule in group["rules"]
]


def name(rule):
    labels = ",".join(rule.get("labels", {}).values())
    return f"{rule.get('alert') or rule.get('record')}-{labels}"


def test_there_are_rules():
    assert len(RULES) > 30


@pytest.mark.parametrize(
    "rule", [rule for _, rule in RULES], ids=[f"{file}-{name(rule)}" for file, rule in RULES]
)
def test_a_rule_names_only_what_is_emitted(rule):
    reading = read(rule["expr"], KNOWN)
    have = reading.labels | rule.get("labels", {}).keys()
    said = {label for text in rule.get("annotations", {}).values() for label in alert_labels(text)}
    assert reading.mistakes == []
    assert said <= have


@pytest.mark.parametrize(
    "rule",
    [rule for _, rule in RULES if "record" in rule],
    ids=[f"{file}-{name(rule)}" for file, rule in RULES if "record" in rule],
)
def test_a_recorded_series_is_listed_with_its_labels(rule):
    reading = read(rule["expr"], KNOWN)
    listed = KNOWN[rule["record"]].labels
    assert reading.labels | rule.get("labels", {}).keys() <= listed
