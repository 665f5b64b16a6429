"""The Prometheus of ``up --observe`` with real gateways: each process its own target, none twice.

Prometheus is Debian's or that of `make tools`; without one this does not run (tests/not_run.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from free_ports import free_port
from gateway_process import GatewayProcess, eventually

from slipway_cli.local import observe
from slipway_cli.local.endpoints import Endpoints
from slipway_cli.local.layout import Layout
from slipway_cli.local.targets import GATEWAY, targets, write_targets


class Watch:
    """A Prometheus as ``slipway up --observe`` plans it, and what it says."""

    def __init__(self, layout: Layout, endpoints: Endpoints) -> None:
        self.layout = layout
        self.state = endpoints.state(dsn="", home=str(layout.home))
        observe.write_config(layout, endpoints)
        (plan,) = observe.observer_plans(layout, endpoints)
        self.log = plan.log
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(list(plan.argv), stdout=log, stderr=log)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def living(self, *names: str) -> None:
        """As the supervisor does when the set of processes changes."""
        write_targets(self.layout.targets, targets(self.state, names))

    def get(self, path: str, **given: str) -> Any:
        """What is under ``data``; None while it does not answer."""
        url = f"{self.state.prometheus_url}/api/v1/{path}?{urllib.parse.urlencode(given)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            assert self.process.poll() is None, self.log.read_text()
            return None

    def up(self) -> dict[str, str]:
        """Gateway process → health."""
        found = (self.get("targets", state="active") or {"activeTargets": []})["activeTargets"]
        return {
            target["labels"]["process"]: target["health"]
            for target in found
            if target["labels"]["job"] == GATEWAY
        }

    def value(self, query: str) -> float | None:
        """Of a query with one series; None where there is none."""
        found = (self.get("query", query=query) or {"result": []})["result"]
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def watch(tmp_path) -> Iterator[Watch]:
    try:
        observe.find_prometheus()
    except observe.PrometheusMissing as missing:
        pytest.skip(f"Prometheus: {missing}")
    endpoints = Endpoints(
        host="127.0.0.1", gateway=free_port(), serve=1, dashboard=1, gcs=1, worker=1,
        gateways=(free_port(), free_port()), prometheus=free_port(),
    )  # fmt: skip
    found = Watch(Layout(tmp_path / "home"), endpoints)
    yield found
    found.stop()
    assert "level=error" not in found.log.read_text()


@pytest.fixture
async def gateways(dsn, tmp_path, watch):
    port = int(watch.state.gateway_url.rpartition(":")[2])
    started = [
        GatewayProcess(
            dsn, tmp_path, port=port, slot=str(slot), own_port=int(url.rpartition(":")[2])
        ).spawn()
        for slot, url in enumerate(watch.state.gateway_urls)
    ]
    for gateway in started:
        await gateway.ready()
    yield started
    for gateway in started:
        await gateway.kill()


def asked(gateway_url: str, times: int) -> None:
    """So many requests on fresh connections: the kernel gives them to either process."""
    for _ in range(times):
        with urllib.request.urlopen(f"{gateway_url}/v1/models", timeout=30) as answer:
            answer.read()


def test_an_installed_command_has_the_rules(tmp_path):
    source = observe.RULES.parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {Path(name).name for name in ZipFile(wheel).namelist() if "/local/rules/" in name}
    assert held == {path.name for path in observe.RULES.glob("*.yaml")}


async def test_every_process_is_seen_by_itself_until_it_ends(watch, gateways):
    watch.living("gateway-0", "gateway-1")
    both = {"gateway-0": "up", "gateway-1": "up"}
    await eventually(lambda: watch.up() == both, what="both targets up")
    asked(watch.state.gateway_url, 40)
    count = 'http_requests_total{route="/v1/models",status="200"}'
    await eventually(lambda: watch.value(f"sum({count})") == 40, what="each request counted once")
    await gateways[1].kill()
    watch.living("gateway-0")
    await eventually(lambda: watch.up() == {"gateway-0": "up"}, what="the dead one to go")
    gone = 'count(up{process="gateway-1"})'
    await eventually(lambda: watch.value(gone) is None, what="its series to end")


async def test_the_rules_of_the_chart_load_and_evaluate(watch):
    wanted = {
        rule.get("alert") or rule["record"]
        for path in observe.RULES.glob("*.yaml")
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    }
    assert wanted

    def healthy() -> bool:
        groups = (watch.get("rules") or {"groups": []})["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        wrong = [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] == "err"]
        assert not wrong, wrong
        return {rule["name"] for rule in rules if rule["health"] == "ok"} == wanted

    await eventually(healthy, what="all rules evaluated")
