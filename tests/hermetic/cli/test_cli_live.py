"""status, top, explain and report as processes: real PostgreSQL, real /metrics, a real terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from attempt_rows import attempt
from free_ports import free_port
from told_lives import a_rolled_back_life

from slipway_cli.local.layout import Layout, LocalState
from slipway_cluster.cache import folders
from slipway_cluster.tools import path_of
from slipway_contracts.run import PROGRESS_FILE, Progress
from slipway_store import measurements
from slipway_store.attempts import ship
from slipway_store.connect import Pool, open_pool
from slipway_store.events import append
from slipway_store.objects import ObjectStore

PAGE = """\
# TYPE inference_requests_total counter
inference_requests_total{{model="chat",version="v3",outcome="ok"}} {count}
slipway_requests_in_flight{{model="chat",version="v3"}} 3
slipway_gateway_connected 1
slipway_log_pending_rows 5
"""


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await open_pool(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def home(tmp_path: Path, dsn: str, pool: Pool) -> AsyncIterator[Path]:
    """A home whose local.json points at the database, with one gateway that tells of itself."""
    Layout(tmp_path).write_state(
        LocalState(
            dsn=dsn, gateway_url="http://127.0.0.1:9", serve_url="", dashboard_url="",
            home=str(tmp_path),
        )
    )  # fmt: skip
    await _live(pool, tmp_path)
    count = 0

    async def metrics(_request: web.Request) -> web.Response:
        nonlocal count
        count += 100
        return web.Response(text=PAGE.format(count=count))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    folder = Layout(tmp_path).observe / "targets"
    await asyncio.to_thread(_targets, folder, [address, "127.0.0.1:9"])
    yield tmp_path
    await runner.cleanup()


def _targets(folder: Path, addresses: list[str]) -> None:
    folder.mkdir(parents=True)
    groups = [
        {"targets": [address], "labels": {"job": "slipway-gateway", "process": f"gateway-{slot}"}}
        for slot, address in enumerate(addresses)
    ]
    (folder / "slipway-gateway.json").write_text(json.dumps(groups))


async def _live(pool: Pool, home: Path) -> None:
    """A life that was rolled back a minute ago, as the platform keeps it."""
    material = a_rolled_back_life()
    version, shift = material.version, datetime.now(UTC) - material.situation.now
    store = ObjectStore(pool)
    await store.create("Model", "chat", {})
    await store.create("ModelVersion", "v3", version.spec.sparse())
    body = await store.get("ModelVersion", "v3")
    status = json.loads(_later(version.status.model_dump_json(by_alias=True), shift))
    await store.update_status(
        "ModelVersion", "v3", status, resource_version=body["metadata"]["resourceVersion"]
    )
    for found in material.measurements:
        await measurements.record(
            pool,
            model="chat", version="v3", attempt=found.attempt, step=found.step,
            at=found.at + shift, verdict=found.verdict, body=found.body,
        )  # fmt: skip
    began = version.status.rollout.started_at + shift  # type: ignore[union-attr,operator]
    rows = [
        attempt(
            0,
            model_name="chat",
            version=name,
            timestamp=began + timedelta(seconds=second),
            started_at=began + timedelta(seconds=second),
            error=name == "v3" and second % 2 == 0,
        )
        for second in range(100)
        for name in ("v2", "v3")
    ]
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows)
    await append(
        pool, kind="ModelVersion", name="v3", type="Warning", reason="AnalysisFailed",
        message="weight 50 % → 0 %",
    )  # fmt: skip
    await asyncio.to_thread(_progress, home / "runs" / "chat" / "v3-train", material.progress)


def _progress(folder: Path, lines: object) -> None:
    folder.mkdir(parents=True)
    assert isinstance(lines, list)
    text = "\n".join(line.model_dump_json() for line in lines if isinstance(line, Progress))
    (folder / PROGRESS_FILE).write_text(f"{text}\nnot a line of progress\n")


def _later(text: str, shift: timedelta) -> str:
    """Every moment in the JSON, moved."""
    found = json.loads(
        text,
        object_hook=lambda fields: {
            key: _moved(value, shift) if isinstance(value, str) else value
            for key, value in fields.items()
        },
    )
    return json.dumps(found)


def _moved(text: str, shift: timedelta) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment + shift).isoformat() if "T" in text else text


async def run(home: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "slipway_cli", *arguments),
        env=os.environ | {"SLIPWAY_HOME": str(home), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_status_measures(home: Path) -> None:
    body = json.loads(await run(home, "status", "--json", "--all"))
    (version,) = body["versions"]
    assert version["phase"] == "RolledBack"
    assert version["figures"]["requests"] > 0
    assert version["figures"]["in_flight"] == 3
    by_name = {process["name"]: process for process in body["processes"]}
    assert by_name["gateway-0"]["log_pending"] == 5
    assert by_name["gateway-1"]["says"] == "does not answer"
    screen = await run(home, "status", "--all")
    assert "RolledBack" in screen
    assert "1 version that has ended" in await run(home, "status")


async def test_explain_and_report(home: Path) -> None:
    told = await run(home, "rollout", "explain", "v3")
    assert "mv/v3 of chat is RolledBack (AnalysisFailed" in told
    assert "truncated: candidate 20 % of 475" in told
    page = home / "v3.html"
    await run(home, "report", "v3", "-o", str(page))
    html = await asyncio.to_thread(page.read_text)
    for figure in ("timeline", "training", "metric-0", "metric-1", "traffic"):
        assert f'id="{figure}"' in html
    assert "200 requests, 50 of them bad, to v2, v3" in html
    assert "80 points of training loss, 8 of evaluation loss" in html
    assert "weight 50 % → 0 %" in html


@pytest.mark.skipif(
    not path_of(folders(), "prometheus").exists(), reason="no prometheus: deploy/cluster tools"
)
async def test_status_by_a_real_prometheus(home: Path) -> None:
    """Figures and alerts of a server that scrapes the same page."""
    port = free_port()
    (config := home / "prometheus.yml").write_text(_prometheus_config(home))
    process = await asyncio.create_subprocess_exec(
        str(path_of(folders(), "prometheus")),
        f"--config.file={config}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={home / 'tsdb'}",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://someone:secret@127.0.0.1:{port}"
    try:
        async with asyncio.timeout(120):
            while True:
                with suppress(AssertionError):
                    text = await run(home, "status", "--json", "--all", "--prometheus", url)
                    body = json.loads(text)
                    if body["alerts"] and (body["versions"][0]["figures"]["requests"] or 0) > 0:
                        break
    finally:
        process.terminate()
        await process.wait()
    assert "secret" not in text
    (alert,) = body["alerts"]
    assert (alert["name"], alert["severity"]) == ("Busy", "info")
    assert alert["about"].startswith("chat v3 127.0.0.1:")
    by_name = {process["name"]: process for process in body["processes"]}
    assert by_name["gateway-1"]["says"] == "does not answer"


def _prometheus_config(home: Path) -> str:
    rule = {
        "alert": "Busy",
        "expr": "slipway_requests_in_flight > 0",
        "labels": {"severity": "info"},
    }
    rules = {"groups": [{"name": "t", "interval": "1s", "rules": [rule]}]}
    (home / "rules.json").write_text(json.dumps(rules))
    targets = str(Layout(home).observe / "targets" / "*.json")
    scraped = {"job_name": "local", "file_sd_configs": [{"files": [targets]}]}
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(home / "rules.json")],
            "scrape_configs": [scraped],
        }
    )


async def test_top_in_a_pipe_prints_once(home: Path) -> None:
    assert "gateway-0" in await run(home, "top", "--interval", "0.5", "--all")


async def test_q_ends_top(home: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "slipway_cli", "top", "--all", "--interval", "0.5"),
        env=os.environ | {"SLIPWAY_HOME": str(home), "TERM": "xterm", "COLUMNS": "140"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        seen = ""
        async with asyncio.timeout(60):
            while seen.count("RolledBack") < 2:
                seen += (await asyncio.to_thread(os.read, ours, 65_536)).decode(errors="replace")
            os.write(ours, b"q")
            reading = asyncio.create_task(asyncio.to_thread(_drain, ours))
            assert await process.wait() == 0
            await reading
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)


def _drain(descriptor: int) -> None:
    """Until the other side is closed."""
    try:
        while os.read(descriptor, 65_536):
            pass
    except OSError:
        return
