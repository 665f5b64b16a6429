"""The story: a first version, a better one, one that is worse only live, one that is hopeless.

It applies manifests, starts the clients and waits for what should happen; what did happen is for
the report to judge. A wait that ends without its event ends the story, never the report.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from slipway_cli.demo import report as reporting
from slipway_cli.demo.alarms import AWAY, Alarm, await_alarm, read_alarms
from slipway_cli.demo.cast import BETTER, FIRST, HOPELESS, MODEL, WORSE, manifest
from slipway_cli.demo.clients import FIRST_QUESTION, Clients, first_answer
from slipway_cli.demo.context import DemoContext, DemoError, DemoOutcome
from slipway_cli.demo.evidence import LogEvidence, await_shipped, read_log
from slipway_cli.demo.findings import Evidence
from slipway_cli.demo.ledger import read_ledger
from slipway_cli.demo.memory import MemorySampler
from slipway_cli.demo.narrate import TRAFFIC_SECONDS, LedgerTail, Narrator, traffic_line
from slipway_cli.demo.pages import write_pages
from slipway_cli.demo.platform import DemoPlatform
from slipway_cli.demo.watch import Sightings, Watcher
from slipway_cli.errors import CliError
from slipway_cli.manifests import read_manifests
from slipway_cli.resources import Kind
from slipway_contracts.conditions import TERMINAL_PHASES, Phase
from slipway_store.connect import Pool, open_pool
from slipway_store.errors import UNAVAILABLE, StoreError

# What may end the story early; anything else is a fault of the demo itself.
ENDS_EARLY: tuple[type[Exception], ...] = (CliError, StoreError, *UNAVAILABLE)
HAS_PLAYED = (
    "an earlier demo's versions are here and serve again by themselves; "
    "`slipway down --purge` gives a new demo a clean home"
)
POLL_SECONDS = 0.25
# Generous: the bars are judged in the report, a deadline only ends a wait for what will not come.
FIRST_SECONDS = 600.0
BETTER_SECONDS = 900.0
WORSE_SECONDS = 600.0
HOPELESS_SECONDS = 120.0
SERVES_ON_SECONDS = 15.0
CLOSE_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Stage:
    """What the scenes share."""

    context: DemoContext
    pool: Pool
    platform: DemoPlatform
    sightings: Sightings
    narrator: Narrator
    clients: Clients
    memory: MemorySampler
    watching: list[asyncio.Task[None]] = field(default_factory=list)
    first_answer_at: float | None = None
    problem: str = ""

    async def apply(self, *names: str) -> None:
        """The demo's own manifests."""
        for resource in read_manifests([str(manifest(name)) for name in names]):
            await self.platform.apply(resource)

    async def until(
        self, what: str, reached: Callable[[], bool], *, seconds: float, unless: str = ""
    ) -> None:
        """Wait. Raises DemoError at the deadline, or when the version ``unless`` ended instead."""
        deadline = time.monotonic() + seconds
        while not reached():
            phase = self.sightings.phase(unless) if unless else None
            if phase in TERMINAL_PHASES:
                raise DemoError(f"waited for {what}, but {unless} is {phase}")
            if time.monotonic() > deadline:
                raise DemoError(f"waited {seconds:.0f} s for {what}")
            self.clients.require_alive()
            self._require_eyes()
            await asyncio.sleep(POLL_SECONDS)

    def _require_eyes(self) -> None:
        """What is no longer watched would be waited for in vain."""
        for task in self.watching:
            if task.done() and not task.cancelled():
                raise DemoError(f"the demo lost sight of the platform: {task.exception()!r}")

    def is_stable(self, version: str) -> bool:
        """The version is the Model's stable one, and says so itself."""
        model = self.sightings.model
        return (
            model is not None
            and model.status.stable == version
            and self.sightings.phase(version) is Phase.SERVING
        )


async def run_story(context: DemoContext) -> DemoOutcome:
    """Play it, judge it, show it. Raises only what says that the platform is not there.

    A home that has seen a demo keeps what came of it; nothing is played on top.
    """
    pool = await open_pool(context.dsn)
    try:
        platform = context.platform(pool)
        if await _has_played(platform):
            context.console.print(HAS_PLAYED, highlight=False)
            line = json.dumps({"ok": False, "problem": HAS_PLAYED})
            return DemoOutcome(ok=False, line=line, played=False)
        stage = _stage(context, pool, platform)
        async with _audience(stage):
            try:
                await _play(stage)
            except ENDS_EARLY as error:
                stage.problem = str(error) or type(error).__name__
                stage.narrator.say("demo", f"ends early: {stage.problem}")
            finally:
                await stage.clients.stop()
            evidence = await _gather(stage)
        pages = await _write_pages(stage, evidence)
    finally:
        await _close(pool)
    report = reporting.assemble(evidence)
    reporting.show(context.console, report)
    for file in pages:
        context.console.print(f"report: {file}", highlight=False, soft_wrap=True)
    if not report["ok"]:
        broken = [name for name, met in report["expectations"].items() if not met]
        context.console.print(f"broken: {', '.join(broken)}", style="red", highlight=False)
        context.console.print(f"logs: {context.home / 'logs'}, runs: {context.home / 'runs'}")
    return DemoOutcome(ok=bool(report["ok"]), line=reporting.line(report))


async def _write_pages(stage: Stage, evidence: Evidence) -> list[Path]:
    """Of what could be read; the demo's own report does not hang on them."""
    try:
        return await write_pages(stage.pool, evidence, home=stage.context.home)
    except UNAVAILABLE as error:
        stage.narrator.say("demo", f"no pages: {error}")
        return []


async def _close(pool: Pool) -> None:
    """In order while the server answers; a query of a cancelled watcher may still be ending."""
    try:
        await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
    except UNAVAILABLE:  # TimeoutError is an OSError
        pool.terminate()


async def _has_played(platform: DemoPlatform) -> bool:
    objects = await platform.objects()
    return any(o["kind"] == Kind.MODEL and o["metadata"]["name"] == MODEL for o in objects)


def _stage(context: DemoContext, pool: Pool, platform: DemoPlatform) -> Stage:
    return Stage(
        context=context,
        pool=pool,
        platform=platform,
        sightings=Sightings(),
        narrator=Narrator(console=context.console, origin=context.made_at),
        clients=Clients(
            url=context.gateway_url,
            ledger=context.home / "demo" / "ledger.jsonl",
            log=context.home / "logs" / "traffic.log",
            rate=context.rate,
            key=context.key,
        ),
        memory=MemorySampler(marks=context.marks, roots=(os.getpid(),)),
    )


@asynccontextmanager
async def _audience(stage: Stage) -> AsyncIterator[None]:
    """The watchers run beside the story and never end it."""
    watcher = Watcher(
        pool=stage.pool,
        model=MODEL,
        platform=stage.platform,
        sightings=stage.sightings,
        narrate=stage.narrator.version,
        narrate_route=stage.narrator.route,
    )
    stage.watching = [
        asyncio.create_task(work)
        for work in (watcher.run(), stage.memory.run(), _tell_traffic(stage))
    ]
    try:
        yield
    finally:
        for task in stage.watching:
            task.cancel()
        await asyncio.gather(*stage.watching, return_exceptions=True)


async def _tell_traffic(stage: Stage) -> None:
    tail = LedgerTail(path=stage.clients.ledger)
    while True:
        await asyncio.sleep(TRAFFIC_SECONDS)
        recent = tail.read()
        if recent:
            stage.narrator.say("clients", traffic_line(tail.entries, recent))


async def _play(stage: Stage) -> None:
    say = stage.narrator.say
    say("demo", "v1 is trained from nothing; with no version to compare with, it is promoted")
    await stage.apply("model", FIRST)
    await stage.until(
        "v1 to serve", lambda: stage.is_stable(FIRST), seconds=FIRST_SECONDS, unless=FIRST
    )
    answer = await first_answer(stage.context.gateway_url, stage.context.key)
    stage.first_answer_at = time.time()
    say("demo", f"{FIRST_QUESTION!r} → {answer!r} (a model of 4 million parameters, remember)")
    say("demo", f"clients start: {stage.clients.rate:g} requests a second, until the end")
    stage.clients.start()
    say("demo", "v2 trains on from v1; it has to prove itself")
    await stage.apply(BETTER)
    await stage.until(
        "v2 to take traffic",
        lambda: stage.sightings.phase(BETTER) in {Phase.CANARY, Phase.PROMOTING, Phase.SERVING},
        seconds=BETTER_SECONDS,
        unless=BETTER,
    )
    say("demo", "while v2 gathers evidence: v4, hardly trained at all, is made and evaluated")
    await stage.apply(HOPELESS)
    await stage.until(
        "v2 to be promoted", lambda: stage.is_stable(BETTER), seconds=BETTER_SECONDS, unless=BETTER
    )
    say("demo", "v3 is v2 with room for 128 tokens: evaluation cannot see it, clients will")
    await stage.apply(WORSE)
    await stage.until(
        "v3 to be rolled back",
        lambda: stage.sightings.phase(WORSE) in TERMINAL_PHASES | {Phase.SERVING},
        seconds=WORSE_SECONDS,
    )
    await stage.until(
        "v4 to be rejected",
        lambda: stage.sightings.phase(HOPELESS) in TERMINAL_PHASES,
        seconds=HOPELESS_SECONDS,
    )
    say("demo", "v2 serves on")
    await asyncio.sleep(SERVES_ON_SECONDS)
    await _await_alarm(stage)


async def _await_alarm(stage: Stage) -> None:
    """Where somebody watches: the story is not over before it is known whether an alert fired."""
    bad = [e.sent for e in read_ledger(stage.clients.ledger) if e.version == WORSE and not e.ok]
    if stage.context.prometheus_url and bad:
        seconds = stage.context.bars.alert_seconds
        await await_alarm(stage.context.prometheus_url, since=min(bad), seconds=seconds)


async def _alarms(context: DemoContext, *, until: float) -> tuple[Alarm, ...] | None:
    """None where nobody watches, or nobody answers."""
    if context.prometheus_url is None:
        return None
    try:
        return await read_alarms(context.prometheus_url, since=context.started_at, until=until)
    except AWAY as error:
        context.console.print(f"the alerts could not be read: {error}", highlight=False)
        return None


async def _gather(stage: Stage) -> Evidence:
    """Everything after the last answer: the log must be whole before it is compared."""
    ended_at = time.time()
    log, shipped = LogEvidence(), False
    try:
        shipped = await await_shipped(stage.pool, ended_at)
        log = await read_log(stage.pool, MODEL)
    except UNAVAILABLE as error:
        stage.problem = stage.problem or f"the log could not be read: {error}"
    alarms = await _alarms(stage.context, until=ended_at)
    with suppress(OSError):
        await asyncio.to_thread(stage.memory.sample)
    seen = stage.sightings
    return Evidence(
        made_at=stage.context.made_at,
        started_at=stage.context.started_at,
        ended_at=ended_at,
        first_answer_at=stage.first_answer_at,
        peak_pss_bytes=stage.memory.peak_bytes,
        timeline=seen.timeline,
        model=seen.model,
        versions=seen.versions,
        phases=seen.phases,
        replicas=seen.replicas,
        entries=read_ledger(stage.clients.ledger),
        log=log,
        shipped=shipped,
        watched=stage.context.prometheus_url is not None,
        alarms=alarms,
        problem=stage.problem,
        bars=stage.context.bars,
    )
