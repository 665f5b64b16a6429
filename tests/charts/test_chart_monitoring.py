"""Rules and dashboards come out of the chart exactly as they went in; a monitor a job.

Their texts are full of ``{{ … }}`` that are Prometheus' and Grafana's, and Helm must leave alone.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil

import pytest
import yaml
from chart_values import ACCEPTED, nested
from helm_chart import CHART, Refused, of_kind, render

ON = {"monitoring": {"enabled": True, "labels": {"release": "kps"}}}
RULES = """# Written by a generator.
groups:
  - name: example
    rules:
      - alert: Example
        expr: |
          sum by (model) (rate(http_requests_total{status=~"5.."}[5m]))
            > 0.1
        annotations:
          summary: "{{ $labels.model }} fails {{ $value | humanizePercentage }}"
          runbook_url: docs/runbooks/example.md
"""
BOARD = json.dumps({"title": "Example", "legend": "{{version}} — ½ {{ model }}"}, indent=1) + "\n"
# What etcd takes of one object, and Helm of a whole release (gzipped, with the chart in it).
LARGEST = 1_048_576


@pytest.fixture
def chart(tmp_path):
    """A copy whose rules and dashboards are the test's own."""
    copied = shutil.copytree(CHART, tmp_path / "slipway")
    for folder in ("rules", "dashboards"):
        shutil.rmtree(copied / "files" / folder, ignore_errors=True)
        (copied / "files" / folder).mkdir(parents=True)
    (copied / "files/rules/example.yaml").write_text(RULES, "utf-8")
    (copied / "files/dashboards/example.json").write_text(BOARD, "utf-8")
    return copied


def test_files_come_out_as_they_went_in(chart):
    objects = render(ON, chart=chart)
    (rules,) = of_kind(objects, "PrometheusRule")
    assert rules["spec"] == yaml.safe_load(RULES)
    assert rules["metadata"]["name"] == "slipway-rules-example"
    assert rules["metadata"]["labels"]["release"] == "kps"
    (board,) = [o for o in of_kind(objects, "ConfigMap") if "dashboard" in o["metadata"]["name"]]
    assert board["data"]["example.json"] == BOARD.strip()
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert board["metadata"]["annotations"] == {"grafana_folder": "Slipway"}


def test_runbooks_may_lie_elsewhere(chart):
    values = {"monitoring": {"enabled": True, "runbookUrl": "https://wiki.example/runbooks"}}
    (rules,) = of_kind(render(values, chart=chart), "PrometheusRule")
    said = rules["spec"]["groups"][0]["rules"][0]["annotations"]["runbook_url"]
    assert said == "https://wiki.example/runbooks/example.md"


def test_our_dashboards_link_to_runbooks_elsewhere():
    values = {"monitoring": {"enabled": True, "runbookUrl": "https://wiki.example/runbooks"}}
    texts = {n: text for o in render(values) for n, text in o.get("data", {}).items()}
    board = json.loads(texts["rollout.json"])
    [said] = [v["query"] for v in board["templating"]["list"] if v["name"] == "runbooks"]
    assert said == "https://wiki.example/runbooks"


def test_a_sidecar_that_looks_for_other_labels(chart):
    wanted = {"labels": {"grafana_dashboard": None, "board": "yes"}, "annotations": {"folder": "A"}}
    values = {"monitoring": {"enabled": True, "dashboards": wanted}}
    (board,) = [o for o in render(values, chart=chart) if "example.json" in o.get("data", {})]
    assert board["metadata"]["labels"]["board"] == "yes"
    assert "grafana_dashboard" not in board["metadata"]["labels"]
    assert board["metadata"]["annotations"] == {"grafana_folder": "Slipway", "folder": "A"}


def test_a_dashboard_too_large_for_a_config_map_is_refused_by_name(chart):
    (chart / "files/dashboards/huge.json").write_text('"' + "x" * LARGEST + '"', "utf-8")
    with pytest.raises(Refused, match=r"huge\.json is larger"):
        render(ON, chart=chart)


def test_ours_fit_and_are_named_as_the_api_server_takes_them():
    objects = render(ACCEPTED["everything"])
    for found in objects:
        assert len(json.dumps(found)) < LARGEST, found["metadata"]["name"]
    for found in objects:
        # kubeconform knows no names; the API server does.
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", found["metadata"]["name"])
    files = [path.read_bytes() for path in CHART.rglob("*") if path.is_file()]
    whole = b"".join(files) + json.dumps(objects).encode()
    # Helm's Secret is base64 in base64; a third of it is left for values and what is to come.
    assert len(gzip.compress(whole)) * 16 / 9 < LARGEST * 2 / 3


def test_every_job_has_one_monitor():
    objects = render(ACCEPTED["every exporter"])
    jobs = [
        relabeling["replacement"]
        for found in of_kind(objects, "ServiceMonitor") + of_kind(objects, "PodMonitor")
        for endpoint in found["spec"].get("endpoints") or found["spec"]["podMetricsEndpoints"]
        for relabeling in endpoint["relabelings"]
        if relabeling["targetLabel"] == "job"
    ]
    assert sorted(jobs) == [
        *("dcgm-exporter", "node-exporter", "postgres-exporter", "qdrant"),
        *("slipway-engines", "slipway-gateway", "slipway-operator", "slipway-worker"),
    ]


@pytest.mark.parametrize("value", ["", "https://wiki.example/runbooks/", "a b"])
def test_a_wrong_place_of_runbooks_is_refused(value):
    with pytest.raises(Refused, match="runbookUrl"):
        render(nested("monitoring.runbookUrl", value))
