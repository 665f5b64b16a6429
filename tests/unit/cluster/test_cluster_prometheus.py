"""The test cluster's Prometheus: what code, values and the chart's labels say is one thing."""

from __future__ import annotations

import json

import yaml

from slipway_cluster import images, prometheus


def by_kind():
    return {body["kind"]: body for body in prometheus.objects()}


def test_the_values_are_what_it_looks_for():
    values = yaml.safe_load(prometheus.VALUES.read_text())["monitoring"]
    spec = by_kind()["Prometheus"]["spec"]
    assert values["enabled"] is True
    for kind in ("serviceMonitor", "podMonitor", "rule"):
        assert spec[f"{kind}Selector"] == {"matchLabels": values["labels"]}
        assert spec[f"{kind}NamespaceSelector"] == {}


def test_its_account_is_bound_and_only_reads():
    found = by_kind()
    (subject,) = found["ClusterRoleBinding"]["subjects"]
    assert subject["name"] == found["ServiceAccount"]["metadata"]["name"]
    assert found["Prometheus"]["spec"]["serviceAccountName"] == subject["name"]
    verbs = {verb for rule in found["ClusterRole"]["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}


def test_its_service_chooses_it():
    service = by_kind()["Service"]["spec"]
    assert service["selector"] == {"prometheus": by_kind()["Prometheus"]["metadata"]["name"]}


def test_the_operator_runs_our_images():
    body = prometheus.kustomization()
    (image,) = body["images"]
    assert f"{image['newName']}:{image['newTag']}" == images.PROMETHEUS_OPERATOR_IMAGE
    assert images.CONFIG_RELOADER_IMAGE in json.dumps(body["patches"])
