"""Starts and stops the traffic process, and asks the gateway the very first question."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from slipway_cli.demo.answers import complaint
from slipway_cli.demo.cast import MODEL
from slipway_cli.demo.context import DemoError
from slipway_cli.local.process import ProcessPlan, ProcessRecord, start

RATE = 7.0
MOST_SECONDS = 1500.0
STOP_SECONDS = 90.0
FIRST_QUESTION = "What is a kludge?"
FIRST_ANSWER_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Clients:
    """The traffic generator as a process with its own ledger and log."""

    url: str
    ledger: Path
    log: Path
    rate: float = RATE
    _record: ProcessRecord | None = None

    def start(self) -> None:
        """Begin; the ledger of an earlier run is replaced."""
        self.ledger.unlink(missing_ok=True)
        argv = [
            sys.executable, "-m", "slipway_cli.demo.traffic",
            "--url", self.url, "--ledger", str(self.ledger), "--model", MODEL,
            "--rate", str(self.rate), "--max-seconds", str(MOST_SECONDS),
        ]  # fmt: skip
        self._record = start(ProcessPlan(name="traffic", argv=argv, env={}, log=self.log))

    def require_alive(self) -> None:
        """Raises DemoError when the clients ended by themselves."""
        if self._record is not None and self._record.living() is None:
            raise DemoError(f"the clients ended by themselves; see {self.log}")

    async def stop(self) -> None:
        """SIGTERM, then wait until every answer under way is booked. Safe to call twice."""
        record, self._record = self._record, None
        process = record.living() if record is not None else None
        if record is None or process is None:
            return
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while record.living() is not None:
            if time.monotonic() > deadline:
                process.kill()
            await asyncio.sleep(0.2)


async def first_answer(url: str) -> str:
    """Ask until an answer comes; returns its text. Raises DemoError after a minute of refusals."""
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": FIRST_QUESTION}],
        "max_tokens": 32,
        "temperature": 0.7,
        "ignore_eos": True,
    }
    deadline = time.monotonic() + FIRST_ANSWER_SECONDS
    why = ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        while time.monotonic() < deadline:
            try:
                async with session.post(f"{url}/v1/chat/completions", json=asked) as response:
                    body = await response.read()
                    why = complaint(response.status, body, stream=False)
                    if not why:
                        answer = await response.json(content_type=None)
                        return str(answer["choices"][0]["message"]["content"])
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                why = f"{type(error).__name__}: {error}"
            await asyncio.sleep(0.5)
    raise DemoError(f"{url} gave no good answer within {FIRST_ANSWER_SECONDS:.0f} s: {why}")
