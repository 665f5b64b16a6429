"""The demo's clients through two real gateways: ledger and log agree, conversations stay.

A rollout is played by writing routes, with traffic running: up, promoted, and a second candidate
that refuses long prompts is withdrawn. The engines are fake; gateways, log, clients and the join
are the demo's own.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from fake_engine import EngineScript, FakeEngine
from free_ports import free_port
from gateway_process import GatewayProcess, eventually

from slipway_cli.demo.evidence import await_shipped, read_log
from slipway_cli.demo.laptop import Laptop
from slipway_cli.demo.ledger import join_log, read_ledger, repeated_ids, sticky_violations
from slipway_cli.demo.timeline import rising_windows
from slipway_cli.demo.watch import Sightings, Watcher
from slipway_contracts.base import utc
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store.connect import open_pool
from slipway_store.routes import write_route

# (weights, roles, salt) in the order of a rollout; the salt is the candidate's.
STORY = (
    ((("v2", 10, "candidate"), ("v1", 90, "stable")), "v2"),
    ((("v2", 50, "candidate"), ("v1", 50, "stable")), "v2"),
    ((("v2", 95, "stable"), ("v1", 5, "previous")), "v2"),
    ((("v2", 100, "stable"),), "v2"),
    ((("v3", 40, "candidate"), ("v2", 60, "stable")), "v3"),
    ((("v2", 100, "stable"),), "v2"),
)


async def write(pool, engines, backends, salt):
    route = ModelRoute(
        model="jargon",
        salt=salt,
        backends=tuple(
            BackendRoute(version=version, weight=weight, url=engines[version].url, role=role)
            for version, weight, role in backends
        ),
    )
    return await write_route(pool, route)


async def test_ledger_log_and_conversations(dsn, tmp_path):
    scripts = {
        "v1": EngineScript(name="v1", model="jargon"),
        "v2": EngineScript(name="v2", model="jargon"),
        "v3": EngineScript(name="v3", model="jargon", context_limit=60),
    }
    pool = await open_pool(dsn)
    port = free_port()
    gateways = [GatewayProcess(dsn, tmp_path, port=port, slot=str(slot)) for slot in range(2)]
    sightings = Sightings()
    watcher = Watcher(
        pool=pool,
        model="jargon",
        platform=Laptop(pool=pool, dashboard_url=""),
        sightings=sightings,
        narrate=lambda *_: None,
        narrate_route=lambda _: None,
    )
    async with (
        FakeEngine(scripts["v1"]) as v1,
        FakeEngine(scripts["v2"]) as v2,
        FakeEngine(scripts["v3"]) as v3,
    ):
        engines = {"v1": v1, "v2": v2, "v3": v3}
        await write(pool, engines, (("v1", 100, "stable"),), "v1")
        await watcher.read_routes()
        try:
            for gateway in gateways:
                await gateway.spawn().ready()
            ledger = tmp_path / "ledger.jsonl"
            clients = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "slipway_cli.demo.traffic", "--rate", "40"),
                *("--url", gateways[0].url, "--ledger", str(ledger), "--max-seconds", "120"),
            )
            sent = 0
            for backends, salt in STORY:
                sent += 40
                await eventually(lambda sent=sent: len(read_ledger(ledger)) >= sent, what="traffic")
                await write(pool, engines, backends, salt)
                await watcher.read_routes()
            await eventually(lambda: len(read_ledger(ledger)) >= sent + 40, what="traffic")
            clients.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(clients.wait(), 90) == 0
            entries = read_ledger(ledger)
            assert await await_shipped(pool, max(entry.ended for entry in entries))
            log = await read_log(pool, "jargon")
        finally:
            for gateway in gateways:
                await gateway.kill()
            await pool.close()
    judge(entries, log, sightings)


def judge(entries, log, sightings):
    join = join_log(entries, log.attempts)
    assert (join.missing, join.duplicates, join.version_mismatches) == ((), (), ())
    assert repeated_ids(entries) == ()
    windows = rising_windows(sightings.timeline)
    assert {window.version for window in windows} == {"v1", "v2", "v3"}
    assert sticky_violations(entries, windows) == ()
    answered = {entry.version for entry in entries}
    assert answered == {"v1", "v2", "v3"}
    bad = [entry for entry in entries if not entry.ok]
    assert bad
    assert {(entry.version, entry.status, entry.kind) for entry in bad} == {("v3", 400, "long")}
    last = sightings.timeline.routes[-1]
    assert utc(last.at) <= utc(max(entry.ended for entry in entries))
