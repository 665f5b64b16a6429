"""Starts and stops the traffic process, and asks the gateway the very first question."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from slipway_cli.demo.answers import complaint
from slipway_cli.demo.cast import MODEL
from slipway_cli.demo.context import DemoError
from slipway_cli.demo.traffic import authorization

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
    rate: float
    key: str | None = None
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; the ledger of an earlier run is replaced."""
        self.ledger.unlink(missing_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        argv = [
            sys.executable, "-m", "slipway_cli.demo.traffic",
            "--url", self.url, "--ledger", str(self.ledger), "--model", MODEL,
            "--rate", str(self.rate), "--max-seconds", str(MOST_SECONDS),
        ]  # fmt: skip
        with self.log.open("ab") as log:
            # In a session of its own: Ctrl-C reaches the story, which ends the clients in order.
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | ({"SLIPWAY_API_KEY": self.key} if self.key else {}),
            )

    def require_alive(self) -> None:
        """Raises DemoError when the clients ended by themselves."""
        if self._process is not None and self._process.poll() is not None:
            raise DemoError(f"the clients ended by themselves; see {self.log}")

    async def stop(self) -> None:
        """SIGTERM, then wait until every answer under way is booked. Safe to call twice."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
            await asyncio.sleep(0.2)


async def first_answer(url: str, key: str | None = None) -> str:
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
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=30), headers=authorization(key)
    ) as session:
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
