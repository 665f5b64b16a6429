"""docs/install.md names values, objects and files that exist."""

from __future__ import annotations

import re

import yaml
from chart_values import EVERYTHING
from helm_chart import CHART, render

from slipway_contracts.model import ModelSpec

TEXT = (CHART.parents[1] / "docs" / "install.md").read_text("utf-8")
EXAMPLES = [yaml.safe_load(found) for found in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
GROUPS = "operator|gateway|database|artifacts|runs|engines|networkPolicy|monitoring|helmTest|images"


def test_every_value_that_is_named_exists():
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    named = set(re.findall(rf"\b((?:{GROUPS})\.(?!md\b)[A-Za-z.]+[A-Za-z])", TEXT))
    assert len(named) > 15
    for path in sorted(named):
        found = values
        for key in path.split("."):
            # `images.NAME.digest` is about each of them.
            found = found["gateway" if key == "NAME" else key]


def test_objects_that_are_named_are_the_charts():
    names = {found["metadata"]["name"] for found in render(EVERYTHING) + render()}
    for name in ("first-key", "database", "artifacts", "postgres"):
        assert f"slipway-{name}" in TEXT
        assert f"slipway-{name}" in names


def test_links_lead_somewhere():
    folder = CHART.parents[1] / "docs"
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (folder / target).exists(), target


def test_the_example_is_a_model():
    (model,) = EXAMPLES[0]["models"].values()
    assert ModelSpec.model_validate(model["spec"]).default


def test_the_examples_are_values():
    assert len(EXAMPLES) == 2
    for values in EXAMPLES:
        render(values)
