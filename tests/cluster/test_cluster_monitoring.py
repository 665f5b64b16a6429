"""A real Prometheus, made by the Prometheus operator, finds everything that the chart tells it of.

Every target is up, each under the name that it has in local mode; rules load and evaluate.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import Counter
from typing import Any

import pytest
import yaml
from cluster_release import MODEL, ROOT, prometheus_in

pytestmark = pytest.mark.timeout(1200)
VALUES = ROOT / "deploy/cluster/values-monitored.yaml"
RULES = ROOT / "charts/slipway/files/rules"
PARTS = {
    "gateway": "app.kubernetes.io/component=gateway",
    "operator": "app.kubernetes.io/component=operator",
    "worker": "app.kubernetes.io/component=worker",
    "engines": "slipway.dev/component=backend",
}


class Prometheus:
    """Its HTTP interface, through the Service's cluster address."""

    def __init__(self, release: Any) -> None:
        service = json.loads(
            release.kubectl("get", "service", "prometheus", "-n", "monitoring", "-o", "json")
        )
        self.url = f"http://{service['spec']['clusterIP']}:9090/api/v1"

    def get(self, path: str, **given: str) -> Any:
        query = f"?{urllib.parse.urlencode(given)}" if given else ""
        with urllib.request.urlopen(f"{self.url}/{path}{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def targets(self) -> Counter[tuple[str, str]]:
        """(job, health) → how many."""
        active = self.get("targets", state="active")["activeTargets"]
        return Counter((target["labels"]["job"], target["health"]) for target in active)

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def prometheus(release):
    prometheus_in()
    with release.upgraded(yaml.safe_load(VALUES.read_text("utf-8"))):
        yield Prometheus(release)


def pods_of(release: Any) -> Counter[tuple[str, str]]:
    """What there should be to scrape, as ``Prometheus.targets`` would say it."""
    return Counter(
        {
            (f"slipway-{part}", "up"): len(release.get("pods", "", "-l", label))
            for part, label in PARTS.items()
        }
    )


def test_every_target_is_up_under_its_job(release, stable, prometheus):
    assert min(pods_of(release).values()) > 0
    release.until(
        f"every pod to be a target that is up: {dict(pods_of(release))}",
        lambda: prometheus.targets() == pods_of(release),
        seconds=300.0,
    )


def test_engines_carry_the_public_names(release, stable, prometheus):
    query = 'count by (model, version) (up{job="slipway-engines"})'
    (found,) = release.until(
        "an engine's series", lambda: prometheus.get("query", query=query)["result"], seconds=300.0
    )
    assert found["metric"] == {"model": MODEL, "version": stable}


def test_rules_are_loaded_and_healthy(release, prometheus):
    names = {
        rule.get("alert") or rule["record"]
        for path in RULES.glob("*.yaml")
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    }
    assert names
    release.until(
        "all rules to be there and evaluated",
        lambda: {r["name"] for r in prometheus.rules() if r["health"] == "ok"} >= names,
        seconds=300.0,
    )
    assert {rule["health"] for rule in prometheus.rules()} == {"ok"}


def test_ray_and_vllm_are_told_of(release, stable, prometheus):
    with release.traffic() as traffic:
        traffic.grows(10)
        for name in ("ray_vllm_num_requests_running", "ray_serve_num_http_requests_total"):
            release.until(
                f"series of {name}",
                lambda name=name: prometheus.get("query", query=name)["result"],
                seconds=120.0,
            )
