"""Alerts read from a real Prometheus, in which two rules fire at once and one never does."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest
import yaml
from free_ports import free_port

from slipway_cli.demo.alarms import AWAY, await_alarm, read_alarms
from slipway_cli.local import observe


def rule(name, severity, expression="vector(1)"):
    return {
        "alert": name,
        "expr": expression,
        "labels": {"severity": severity, "version": "v3"},
    }


RULES = [rule("Fires", "page"), rule("OnlyTells", "info"), rule("Never", "page", "vector(1) > 2")]


@pytest.fixture
def prometheus(tmp_path):
    """Its URL; it may not answer yet."""
    try:
        program = observe.find_prometheus()
    except observe.PrometheusMissing as missing:
        pytest.skip(f"Prometheus: {missing}")
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "all", "interval": "1s", "rules": RULES}]})
    )
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"rule_files": [str(tmp_path / "rules.yaml")]}))
    port = free_port()
    argv = [
        program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
        assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(30)


async def test_what_somebody_must_act_on_is_read_with_its_time(prometheus):
    began = time.time() - 5
    await asyncio.wait_for(await_alarm(prometheus, since=began, seconds=120), 150)
    (alarm,) = await read_alarms(prometheus, since=began, until=time.time())
    assert (alarm.name, alarm.severity, alarm.version) == ("Fires", "page", "v3")
    assert began <= alarm.began <= alarm.ended <= time.time()
    assert await read_alarms(prometheus, since=began - 3600, until=began - 60) == ()


async def test_nobody_to_ask_is_an_error_that_the_demo_expects():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AWAY):
        await read_alarms(url, since=0, until=1)
    # Nothing is read there either, but the wait ends when its time is over.
    await asyncio.wait_for(await_alarm(url, since=time.time() - 10, seconds=1), 60)
