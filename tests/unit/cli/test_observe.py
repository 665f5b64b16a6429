"""What ``up --observe`` starts and with which configuration. (The real thing: tests/hermetic.)"""

from __future__ import annotations

import stat

import pytest

from slipway_cli.local import observe
from slipway_cli.local.endpoints import Endpoints
from slipway_cli.local.layout import Layout

PORTS = {"gateway": 8000, "serve": 8100, "dashboard": 8265, "gcs": 6379, "worker": 8090}
PLAIN = Endpoints(host="127.0.0.1", **PORTS)
WATCHED = Endpoints(host="127.0.0.1", **PORTS, prometheus=9090, node_exporter=9100)


def a_program(path):
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Neither told, nor on PATH, nor in the tools' cache."""
    monkeypatch.delenv(observe.GIVEN, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    for folder in ("path", "cache/bin"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_a_missing_prometheus_names_the_package_and_the_fix(nowhere):
    with pytest.raises(observe.PrometheusMissing, match=r"apt-get install prometheus.*make tools"):
        observe.find_prometheus()


def test_where_it_is_found(nowhere, monkeypatch):
    cached = a_program(nowhere / "cache/bin/prometheus-any")
    a_program(nowhere / "cache/bin/prometheus-operator-v0.85.0")
    assert observe.find_prometheus() == cached
    installed = a_program(nowhere / "path/prometheus")
    assert observe.find_prometheus() == installed
    told = a_program(nowhere / "mine")
    monkeypatch.setenv(observe.GIVEN, told)
    assert observe.find_prometheus() == told


def test_a_wrong_path_is_refused_by_name(nowhere, monkeypatch):
    monkeypatch.setenv(observe.GIVEN, str(nowhere / "absent"))
    with pytest.raises(observe.PrometheusMissing, match=r"SLIPWAY_PROMETHEUS=.*absent"):
        observe.find_prometheus()


def test_nothing_is_started_unasked(tmp_path):
    layout = Layout(tmp_path / "home")
    assert observe.observer_plans(layout, PLAIN) == []
    observe.write_config(layout, PLAIN)
    assert not layout.home.exists()


def test_without_rules_it_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setattr(observe, "RULES", tmp_path / "rules")
    with pytest.raises(observe.RulesMissing, match=r"scripts/generate\.py"):
        observe.write_config(Layout(tmp_path / "home"), WATCHED)


def test_the_plans(nowhere):
    a_program(nowhere / "path/prometheus")
    a_program(nowhere / "path/prometheus-node-exporter")
    prometheus, node = observe.observer_plans(Layout(nowhere / "home"), WATCHED)
    assert "--web.listen-address=127.0.0.1:9090" in prometheus.argv
    assert f"--storage.tsdb.path={nowhere}/home/observe/data" in prometheus.argv
    assert node.argv[1:] == ["--web.listen-address=127.0.0.1:9100"]
    assert (prometheus.name, node.name) == ("prometheus", "node-exporter")


def test_the_configuration(tmp_path):
    found = observe.config(Layout(tmp_path), WATCHED)
    first, *fixed = found["scrape_configs"]
    assert first["file_sd_configs"][0]["files"] == [f"{tmp_path}/observe/targets/*.json"]
    assert [(one["job_name"], one["static_configs"][0]["targets"]) for one in fixed] == [
        ("prometheus", ["127.0.0.1:9090"]),
        ("node-exporter", ["127.0.0.1:9100"]),
    ]
    assert found["global"]["scrape_interval"] == "5s"


def test_a_living_platform_keeps_its_ports():
    state = WATCHED.state(dsn="postgresql://", home="/home")
    assert state.prometheus_url == "http://127.0.0.1:9090"
    assert Endpoints.of(state) == WATCHED
    unwatched = PLAIN.state(dsn="postgresql://", home="/home")
    assert unwatched.prometheus_url is None
    assert Endpoints.of(unwatched) == PLAIN


def test_rules_are_those_of_the_chart():
    assert observe.RULES.resolve().parts[-4:] == ("charts", "slipway", "files", "rules")
