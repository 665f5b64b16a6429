"""More than there is: three times an engine's capacity, a noisy key, a PostgreSQL that stops.

``python -m benchmarks.overload`` starts the embedded PostgreSQL, an engine with so many slots (as
vLLM's: what is beyond them waits inside it, first come first served) and gateways with their
default settings, keys required and the log shipped. Nobody tells the gateway what the engine can
do. Clients are many and random (``benchmarks.crowd``). The last line is one JSON object; exits 1
when a bar is missed.

``triple``: peak goodput straight at the engine, before and after a minute of three times as much.
``noisy``: keys that together ask for less than there is, alone and beside one that asks for ten
times as much as each of them, in turn. ``frozen``: the same load with PostgreSQL's processes
stopped and running, in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvloop
from benchmarks import systems
from benchmarks.crowd import Answer, Client, Crowd
from benchmarks.load import burst, request
from benchmarks.systems import System

from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_store import embedded
from slipway_store.connect import Pool, open_pool
from slipway_store.embedded_host import server_pid
from slipway_store.keys import NewKey, make_key
from slipway_store.migrate import migrate
from slipway_store.quotas import LimitRules
from slipway_store.routes import write_route

SLOTS = 128
# Offered in ``triple``, three times what the engine can do; a quarter of it streams.
OFFERED = 1500
STREAMS = 4
# What the quiet keys and one more like them ask for, of what the engine can do.
BUSY = 0.85
QUIET = 5
LOUD = 10
FREEZE = 10
BARS = {
    "triple.goodput_of_peak": (0.95, None),
    "triple.wrong_refusals": (None, 0),
    "triple.refused_p99_ms": (None, 20),
    "triple.cut_streams": (None, 0),
    "noisy.ratio": (None, 1.3),
    "frozen.ratio": (None, 1.1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of an engine: seconds to the first token, a token, and so many tokens an answer."""

    first: float
    token: float
    tokens: tuple[int, int]

    @property
    def rate(self) -> float:
        """Answers a second, with all slots busy."""
        return SLOTS / (self.first + self.token * statistics.mean(self.tokens))


FAST = Speed(first=0.056, token=0.02, tokens=(10, 10))
LONG = Speed(first=0.1, token=0.004, tokens=(50, 150))
# The gateway's own time is all that a client of this one sees.
NONE = Speed(first=0.0, token=0.0, tokens=(10, 10))


class Bench:
    """What the scenarios share: a database, a folder, and everything that is to be stopped."""

    def __init__(self, stack: AsyncExitStack, pool: Pool, dsn: str, folder: Path) -> None:
        self._stack, self._pool, self._dsn, self._folder = stack, pool, dsn, folder

    def engine(self, speed: Speed) -> System:
        """Ready to answer."""
        port = systems.free_port()
        script = str(systems.ROOT / "tests" / "support" / "fake_engine.py")
        options = ["--port", str(port), "--slots", str(SLOTS), "--chunks", str(speed.tokens[1])]
        options += ["--first-byte-delay", str(speed.first), "--chunk-delay", str(speed.token)]
        system = System("engine", [sys.executable, script, *options], port=port, core=None)
        self._stack.callback(system.stop)
        system.wait_ready("/health")
        return system

    async def gateway(
        self, model: str, engine: System, *, keys: int, limits: LimitRules | None = None
    ) -> tuple[System, list[str]]:
        """One for this model, and the secrets of keys that it knows."""
        backend = BackendRoute(version="v1", weight=100, url=f"http://127.0.0.1:{engine.port}")
        await write_route(self._pool, ModelRoute(model=model, salt="b", backends=(backend,)))
        secrets = []
        for number in range(keys):
            new = NewKey(name=f"{model}-{number}", models=[model], limits=limits or LimitRules())
            secrets.append((await make_key(self._pool, new))[1])
        system = systems.gateway(self._dsn, self._folder / model, None, slot=model)
        self._stack.callback(system.stop)
        for secret in secrets:
            await systems.ready_with(system.port, asked(model, secret, stream=False, tokens=1))
        return system, secrets


def asked(model: str, secret: str, *, stream: bool, tokens: int) -> bytes:
    """One request."""
    content = f"{random.random()}: {'Tell me something about the sea. ' * 5}"
    fields: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": tokens,
    }
    if stream:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    return request(json.dumps(fields).encode(), {"authorization": f"Bearer {secret}"})


def many(model: str, secret: str, speed: Speed, *, streams: bool = False) -> list[bytes]:
    """A hundred different ones, with and without streams among them."""
    return [
        asked(
            model,
            secret,
            stream=streams and number % STREAMS == 0,
            tokens=random.randint(*speed.tokens),
        )
        for number in range(100)
    ]


async def triple(bench: Bench, *, seconds: float) -> dict[str, Any]:
    """A minute of three times the engine's capacity."""
    engine = bench.engine(FAST)
    ours, secrets = await bench.gateway("triple", engine, keys=4)
    sent = [many("triple", secret, FAST, streams=True) for secret in secrets]
    straight = [message for messages in sent for message in messages]
    peaks = [await peak(engine, straight, seconds / 10)]
    clients = [Client(messages=messages, rate=OFFERED / len(sent)) for messages in sent]
    began = time.perf_counter()
    await Crowd(ours.port, seconds=seconds, seed=1).run(clients)
    peaks.append(await peak(engine, straight, seconds / 10))
    answers = [answer for client in clients for answer in client.answers]
    good = [one for one in answers if one.status == 200 and not one.cut]
    refused = [one for one in answers if one.status != 200]
    # What was still in the queue when the load ended is no goodput under it.
    within = sum(one.ended < began + seconds for one in good) / seconds
    right = [one for one in refused if one.status in {429, 503} and one.retry_after]
    return {
        "offered_a_second": round(len(answers) / seconds, 1),
        "peak_a_second": round(max(peaks), 1),
        "good_a_second": round(within, 1),
        "goodput_of_peak": round(within / max(peaks), 3),
        "refused": len(refused),
        "wrong_refusals": len(refused) - len(right),
        "refused_p50_ms": millis(refused, 50),
        "refused_p99_ms": millis(refused, 99),
        "cut_streams": sum(one.cut for one in answers),
        "good_p50_ms": millis(good, 50),
        "good_p99_ms": millis(good, 99),
    }


async def peak(engine: System, sent: list[bytes], seconds: float) -> float:
    """Answers a second, asked without a pause and without a gateway."""
    random.shuffle(sent)
    count = max(4 * SLOTS, int(FAST.rate * seconds))
    result = await burst(engine.port, sent, count=count, connections=2 * SLOTS, expect=b'"usage"')
    if result.failed:
        raise RuntimeError(f"{result.failed} of {count} answers of the engine were wrong")
    return result.requests / result.seconds


async def noisy(bench: Bench, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Alone and beside, in turn. The ratio is the median of the rounds': in the first ones the
    gateway meets this engine's overload for the first time (``rounds_p99_ms`` has each)."""
    engine = bench.engine(LONG)
    ours, (*quiet, loud) = await bench.gateway("noisy", engine, keys=QUIET + 1)
    share = BUSY * LONG.rate / (QUIET + 1)
    sent = [many("noisy", secret, LONG) for secret in quiet]
    noise = Client(messages=many("noisy", loud, LONG), rate=LOUD * share)
    alone: list[list[Answer]] = []
    beside: list[list[Answer]] = []
    for number in range(rounds):
        for found, others in ((alone, []), (beside, [noise])):
            clients = [Client(messages=messages, rate=share) for messages in sent]
            await Crowd(ours.port, seconds=seconds, seed=number).run([*clients, *others])
            found.append([answer for client in clients for answer in client.answers])
    every, loud_ones = [one for found in beside for one in found], noise.answers
    pairs = [(millis(a, 99), millis(b, 99)) for a, b in zip(alone, beside, strict=True)]
    return {
        "alone_p99_ms": statistics.median(before for before, _ in pairs),
        "beside_p99_ms": statistics.median(after for _, after in pairs),
        "ratio": round(statistics.median(after / before for before, after in pairs), 3),
        "rounds_p99_ms": pairs,
        "others_refused": sum(one.status != 200 for one in every),
        "noisy_served": sum(one.status == 200 for one in loud_ones),
        "noisy_refused": sum(one.status != 200 for one in loud_ones),
    }


async def frozen(bench: Bench, data: Path, *, rounds: int) -> dict[str, Any]:
    """PostgreSQL running and stopped, ten seconds each, in turn."""
    engine = bench.engine(NONE)
    limits = LimitRules(requests_per_minute=10**6, tokens_per_minute=10**9)
    ours, (secret,) = await bench.gateway("frozen", engine, keys=1, limits=limits)
    sent = many("frozen", secret, NONE, streams=True)
    running: list[list[Answer]] = []
    stopped: list[list[Answer]] = []
    for number in range(2 * rounds):
        client = Client(messages=sent, rate=300)
        load = Crowd(ours.port, seconds=FREEZE, seed=number // 2)
        # Who is first changes: what a freeze leaves behind must not count against the other.
        if (number + number // 2) % 2:
            with stopped_server(data):
                await load.run([client])
            stopped.append(client.answers)
        else:
            await load.run([client])
            running.append(client.answers)
        await asyncio.sleep(2)
    ratios = [millis(s, 99) / millis(r, 99) for r, s in zip(running, stopped, strict=True)]
    every = [one for found in (*running, *stopped) for one in found]
    return {
        "running_p50_ms": statistics.median(millis(found, 50) for found in running),
        "frozen_p50_ms": statistics.median(millis(found, 50) for found in stopped),
        "running_p99_ms": statistics.median(millis(found, 99) for found in running),
        "frozen_p99_ms": statistics.median(millis(found, 99) for found in stopped),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "not_answered": sum(one.status != 200 or one.cut for one in every),
    }


@contextlib.contextmanager
def stopped_server(data: Path) -> Iterator[None]:
    """Every process of the server stands still."""
    pid = server_pid(data / "data")
    if pid is None:
        raise RuntimeError("PostgreSQL does not run")
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            process.send_signal(signal.SIGCONT)


def millis(answers: Iterable[Answer], percentile: int) -> float:
    """0 of too few."""
    found = [one.seconds for one in answers]
    if len(found) < 2:
        return 0.0
    return round(statistics.quantiles(found, n=100)[percentile - 1] * 1000, 2)


def missed(found: dict[str, Any]) -> list[str]:
    """The bars of what was measured."""
    out = []
    for name, (least, most) in BARS.items():
        part, _, figure = name.partition(".")
        if part in found:
            value = found[part][figure]
            if (least is not None and value < least) or (most is not None and value > most):
                bar = f">= {least}" if most is None else f"<= {most}"
                out.append(f"{name} = {value}, bar {bar}")
    return out


async def run(dsn: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The chosen scenarios, one after another."""
    await migrate(dsn)
    found: dict[str, Any] = {}
    pool = await open_pool(dsn)
    for name in options.only:
        async with AsyncExitStack() as stack:
            bench = Bench(stack, pool, dsn, folder)
            if name == "triple":
                found[name] = await triple(bench, seconds=options.seconds)
            elif name == "noisy":
                seconds = min(10, options.seconds)
                found[name] = await noisy(bench, rounds=options.rounds, seconds=seconds)
            else:
                found[name] = await frozen(bench, folder / "postgres", rounds=options.rounds)
        print(name, json.dumps(found[name], indent=1), flush=True)
    await pool.close()
    return found


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.overload")
    names = ["triple", "noisy", "frozen"]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60, help="of triple")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = os.getloadavg()[0]
    # A hundred thousand answers are kept: looking through them would stop the clients for tens of
    # milliseconds, which would count as the gateway's.
    gc.disable()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        dsn = embedded.start(folder / "postgres")
        try:
            found = uvloop.run(run(dsn, folder, options))
        finally:
            embedded.stop(folder / "postgres")
    misses = missed(found)
    bars = {name: {"least": least, "most": most} for name, (least, most) in BARS.items()}
    body = {"benchmark": "overload", "ok": not misses, "missed": misses, "bars": bars}
    print(json.dumps(body | {"load_before": round(load, 2)} | found))
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
