"""``slipway doctor``: looks at each part of local mode and says what is wrong and what to do.

Every check is independent, so one that fails never hides the next. Checks repair nothing.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import psutil

from slipway_cli.local import process
from slipway_cli.local.layout import Layout, LocalState
from slipway_cli.local.observe import PROMETHEUS
from slipway_cli.local.plan import GATEWAYS
from slipway_store.connect import open_pool
from slipway_store.routes import live_heartbeats, read_routes

NEEDED_DISK_GB = 10
NEEDED_MEMORY_GB = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. ``fix`` is the next action of the person who reads it; empty when ``ok``."""

    part: str
    ok: bool
    message: str
    fix: str = ""


def examine(layout: Layout) -> list[Check]:
    """All findings, in the order in which the parts depend on one another."""
    found = [_python(), _disk(layout), _memory()]
    state = layout.read_state()
    if state is None:
        message = f"nothing is up in {layout.home}"
        return [*found, Check(part="platform", ok=False, message=message, fix="run `slipway up`")]
    found += _processes(layout, observed=state.prometheus_url is not None)
    found += asyncio.run(_database(state))
    worker = _ready("worker", state.worker_url)
    operator = [_ready("controller", state.operator_url)] if state.operator_url else []
    return [*found, _gateway(state), *_serve(state), *operator, worker, *_targets(state)]


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    ok = sys.version_info >= (3, 11)
    fix = "" if ok else "install Python 3.11 or later and run `make env` again"
    return Check(part="python", ok=ok, message=version, fix=fix)


def _disk(layout: Layout) -> Check:
    folder = layout.home if layout.home.exists() else layout.home.parent
    free = shutil.disk_usage(folder).free / 1e9
    ok = free >= NEEDED_DISK_GB
    fix = "" if ok else f"free {NEEDED_DISK_GB - free:.0f} GB or set SLIPWAY_HOME to another disk"
    return Check(part="disk", ok=ok, message=f"{free:.0f} GB free at {folder}", fix=fix)


def _memory() -> Check:
    free = psutil.virtual_memory().available / 1e9
    ok = free >= NEEDED_MEMORY_GB
    fix = "" if ok else "end other programs: two engines need about 8 GB"
    return Check(part="memory", ok=ok, message=f"{free:.0f} GB available", fix=fix)


def _processes(layout: Layout, *, observed: bool) -> list[Check]:
    found = []
    records = process.read_records(layout.processes_file)
    gateways = [f"gateway-{slot}" for slot in range(GATEWAYS)]
    observers = [PROMETHEUS] if observed else []
    for name in ("ray", "controller", *gateways, "worker", *observers):
        record = records.get(name)
        living = record.living() if record is not None else None
        log = layout.logs / f"{name}.log"
        found.append(
            Check(
                part=name,
                ok=living is not None,
                message=f"pid {living.pid}" if living is not None else "not running",
                fix="" if living is not None else f"read {log}, then run `slipway up`",
            )
        )
    return found


async def _database(state: LocalState) -> list[Check]:
    try:
        pool = await open_pool(state.dsn, max_size=1)
    except Exception as error:
        fix = "run `slipway up`: it starts PostgreSQL again"
        return [Check(part="postgresql", ok=False, message=str(error), fix=fix)]
    async with pool:
        beats = await live_heartbeats(pool)
        routes = await read_routes(pool)
    answer = [Check(part="postgresql", ok=True, message="answers")]
    wanted = max((route.revision for route in routes), default=0)
    behind = [beat.gateway for beat in beats if beat.revision < wanted]
    ok = len(beats) >= GATEWAYS and not behind
    message = f"{len(beats)} of {GATEWAYS} gateways report; routes revision {wanted}"
    message += f"; behind: {', '.join(behind)}" if behind else ""
    fix = "" if ok else "read the gateways' logs with `slipway logs --process gateway-0`"
    return [*answer, Check(part="heartbeats", ok=ok, message=message, fix=fix)]


def _gateway(state: LocalState) -> Check:
    body = _get(f"{state.gateway_url}/v1/models")
    if isinstance(body, str):
        fix = "read `slipway logs --process gateway-0`"
        return Check(part="gateway", ok=False, message=body, fix=fix)
    names = ", ".join(model["id"] for model in body.get("data", [])) or "no model yet"
    return Check(part="gateway", ok=True, message=f"answers at {state.gateway_url}: {names}")


def _serve(state: LocalState) -> list[Check]:
    body = _get(f"{state.dashboard_url}/api/serve/applications/")
    if isinstance(body, str):
        fix = "read `slipway logs --process ray`"
        return [Check(part="ray serve", ok=False, message=body, fix=fix)]
    found = [Check(part="ray serve", ok=True, message=f"answers at {state.dashboard_url}")]
    for name, application in body.get("applications", {}).items():
        status = application["status"]
        ok = status in ("RUNNING", "DEPLOYING", "DELETING")
        message = status if ok else f"{status}: {application.get('message', '')[:200]}"
        fix = "" if ok else "`slipway describe mv` shows the version; `slipway logs --process ray`"
        found.append(Check(part=f"engine {name}", ok=ok, message=message, fix=fix))
    return found


def _ready(process: str, base: str) -> Check:
    url = f"{base}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            response.read()
    except (urllib.error.URLError, OSError) as error:
        fix = f"read `slipway logs --process {process}`"
        return Check(part=f"{process} ready", ok=False, message=f"{url}: {error}", fix=fix)
    return Check(part=f"{process} ready", ok=True, message=f"answers at {base}")


def _targets(state: LocalState) -> list[Check]:
    """What Prometheus, where there is one, says of those that it scrapes."""
    if state.prometheus_url is None:
        return []
    body = _get(f"{state.prometheus_url}/api/v1/targets?state=active")
    if isinstance(body, str):
        fix = "read `slipway logs --process prometheus`"
        return [Check(part="scraping", ok=False, message=body, fix=fix)]
    targets = body["data"]["activeTargets"]
    wrong = [target for target in targets if target["health"] == "down"]
    message = f"{len(targets) - len(wrong)} of {len(targets)} targets up, {state.prometheus_url}"
    for target in wrong[:3]:
        message += f"; {target['scrapeUrl']}: {target['lastError']}"
    fix = "`slipway logs --process NAME` of what does not answer" if wrong else ""
    return [Check(part="scraping", ok=bool(targets) and not wrong, message=message, fix=fix)]


def _get(url: str) -> Any:
    """The JSON body, or what went wrong as a string."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{url}: {error}"
