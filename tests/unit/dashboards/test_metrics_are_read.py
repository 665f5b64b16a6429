"""No metric is emitted for nobody: each is on a dashboard, in a rule, or listed for scripts."""

import json
import re
from pathlib import Path

import pytest
import yaml

from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.metrics.foreign import FOREIGN, Exporter
from slipway_dashboards.reading import read
from slipway_dashboards.vocabulary import vocabulary

ROOT = Path(__file__).parents[3]
FILES = ROOT / "charts/slipway/files"
KNOWN = vocabulary()


def expressions():
    for path in sorted((FILES / "dashboards").glob("*.json")):
        board = json.loads(path.read_text("utf-8"))
        for panel in board["panels"]:
            yield from (target["expr"] for target in panel.get("targets", []))
        yield from (mark["expr"] for mark in board["annotations"].get("list", []))
        for choice in board["templating"]["list"]:
            if choice["type"] == "query":
                yield choice["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
    for path in sorted((FILES / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            yield from (rule["expr"] for rule in group["rules"])


def for_scripts():
    """Names in the table of docs/metrics.md's section `For scripts`, each with a reason."""
    page = ROOT / "docs" / "metrics.md"
    if not page.exists():
        return {}
    _, _, section = page.read_text("utf-8").partition("## For scripts\n")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return dict(rows)


READ = {family for expr in expressions() for family in read(expr, KNOWN).families}


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_an_emitted_metric_is_read_somewhere_or_listed(metric):
    assert metric.name in READ or for_scripts().get(metric.name)


def test_what_is_listed_for_scripts_is_emitted():
    assert for_scripts().keys() <= {metric.name for metric in CATALOGUE}


def test_a_metric_of_others_that_nobody_reads_is_not_kept():
    # vLLM's own spelling is for people who run it without Ray.
    kept = {metric.name for metric in FOREIGN if metric.exporter is not Exporter.VLLM}
    assert sorted(kept - READ) == []
