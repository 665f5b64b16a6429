"""The SLOs' targets are values; the rules that read them are the same everywhere."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from helm_chart import CHART, Refused, of_kind, render


def targets(slos: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    """(slo, model, le) → expression."""
    objects = render({"monitoring": {"enabled": True, "slos": slos}})
    rules = of_kind(objects, "PrometheusRule")
    [found] = [r for r in rules if r["metadata"]["name"] == "slipway-rules-targets"]
    [group] = found["spec"]["groups"]
    assert group["name"] == "slipway-slo-targets"
    assert {rule["record"] for rule in group["rules"]} == {"slipway:slo_target:ratio"}
    said = ((rule["labels"], rule["expr"]) for rule in group["rules"])
    return {(of["slo"], of.get("model", ""), of.get("le", "")): expr for of, expr in said}


def test_the_defaults_are_those_of_a_laptop_but_for_the_seconds() -> None:
    text = (CHART / "files/rules/targets.yaml").read_text("utf-8")
    local = yaml.safe_load(text)["groups"][0]["rules"]
    made = targets({})
    assert made == {
        ("availability", "", ""): "vector(0.99)",
        ("ttft", "", "2.5"): "vector(0.95)",
    }
    assert [rule["expr"] for rule in local] == list(made.values())
    assert [set(rule["labels"]) for rule in local] == [{"slo"}, {"slo", "le"}]


def test_a_model_may_have_promises_of_its_own() -> None:
    made = targets(
        {
            "availability": {"target": 0.995},
            "ttft": {"seconds": 5},
            "models": {
                "chat": {"availability": {"target": 0.999}, "ttft": {"seconds": 0.25}},
                "batch": {"ttft": {"target": 0.5}},
            },
        }
    )
    assert made == {
        ("availability", "", ""): "vector(0.995)",
        ("ttft", "", "5.0"): "vector(0.95)",
        ("availability", "chat", ""): "vector(0.999)",
        ("ttft", "chat", "0.25"): "vector(0.95)",
        ("ttft", "batch", "5.0"): "vector(0.5)",
    }


@pytest.mark.parametrize(
    "slos",
    [
        {"ttft": {"seconds": 3}},
        {"availability": {"target": 1}},
        {"models": {"chat": {"latency": {"target": 0.9}}}},
    ],
    ids=["no-such-bucket", "no-budget", "no-such-promise"],
)
def test_a_promise_that_cannot_be_is_refused(slos: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        targets(slos)
