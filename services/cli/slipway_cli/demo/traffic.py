"""The demo's clients: an open-loop generator in a process of its own.

Requests leave at their own times, whether or not earlier ones were answered, as real clients do.
Every request becomes one line of the ledger when it ends. Ends at SIGTERM (after the answers that
are under way) or after ``--max-seconds``. ``SLIPWAY_API_KEY`` is sent where it is set. It knows the
OpenAI API and nothing else of Slipway.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from slipway_cli.demo.answers import complaint
from slipway_cli.demo.ledger import Entry
from slipway_cli.demo.prompts import Ask, Conversations, draw
from slipway_cli.settings import ClientSettings
from slipway_contracts.names import HEADER_CONVERSATION, HEADER_REQUEST_ID, HEADER_VERSION

# Above this many unanswered requests the generator skips its turn: a machine that is this far
# behind gains nothing from more load.
MOST_IN_FLIGHT = 64
REQUEST_SECONDS = 60.0
DRAIN_SECONDS = REQUEST_SECONDS + 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send, where, for how long. ``rate`` in requests a second."""

    url: str
    ledger: Path
    model: str
    rate: float
    max_seconds: float
    seed: int = 7
    long_share: float = 0.25
    stream_share: float = 0.5
    completion_share: float = 0.25
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request before it is sent."""

    request_id: str
    conversation: str
    ask: Ask
    stream: bool
    chat: bool

    def path(self) -> str:
        return "/v1/chat/completions" if self.chat else "/v1/completions"

    def body(self, model: str) -> dict[str, Any]:
        """Answers of a fixed length: an untaught end-of-text is not what is measured here."""
        asked: dict[str, Any] = (
            {"messages": [{"role": "user", "content": self.ask.text}]}
            if self.chat
            else {"prompt": self.ask.text}
        )
        return asked | {
            "model": model,
            "max_tokens": self.ask.max_tokens,
            "temperature": 0.7,
            "stream": self.stream,
            "ignore_eos": True,
        }


def compose(plan: Plan, rng: random.Random, conversations: Conversations) -> Request:
    """The next request; ids are unique across runs, the rest is the seed's."""
    return Request(
        request_id=f"demo-{uuid.uuid4().hex}",
        conversation=conversations.next(),
        ask=draw(rng, long_share=plan.long_share),
        stream=rng.random() < plan.stream_share,
        chat=rng.random() >= plan.completion_share,
    )


async def send(session: aiohttp.ClientSession, plan: Plan, request: Request) -> Entry:
    """One request from first to last byte. Never raises but for cancellation."""
    entry = Entry(
        request_id=request.request_id,
        conversation=request.conversation,
        kind=request.ask.kind,
        stream=request.stream,
        sent=time.time(),
        first_byte=None,
        ended=0.0,
        status=None,
        version=None,
        ok=False,
    )
    headers = {HEADER_REQUEST_ID: request.request_id, HEADER_CONVERSATION: request.conversation}
    body = b""
    try:
        async with session.post(
            plan.url + request.path(), json=request.body(plan.model), headers=headers
        ) as response:
            entry = replace(
                entry,
                status=response.status,
                request_id=response.headers.get(HEADER_REQUEST_ID, request.request_id),
                version=response.headers.get(HEADER_VERSION),
            )
            async for piece in response.content.iter_any():
                if not body:
                    entry = replace(entry, first_byte=time.time())
                body += piece
            why = complaint(response.status, body, stream=request.stream)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        why = f"no whole answer: {type(error).__name__}: {error}"[:200]
    return replace(entry, ended=time.time(), ok=not why, why=why)


def authorization(key: str | None) -> dict[str, str]:
    """The header that carries an API key; none without one."""
    return {"authorization": f"Bearer {key}"} if key else {}


class Generator:
    """Paces requests and books them. One instance a process."""

    def __init__(self, plan: Plan, book: TextIO) -> None:
        self._plan = plan
        self._book = book
        self._rng = random.Random(plan.seed)
        self._conversations = Conversations(random.Random(plan.seed + 1))
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` or the plan's end, then until what is under way has ended."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        connector = aiohttp.TCPConnector(limit=MOST_IN_FLIGHT)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, headers=authorization(self._plan.key)
        ) as session:
            await self._pace(session, stop)
            if self._under_way:
                _, late = await asyncio.wait(self._under_way, timeout=DRAIN_SECONDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _pace(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        end = due + self._plan.max_seconds
        while due < end:
            try:
                await asyncio.wait_for(stop.wait(), max(0.0, due - clock()))
            except TimeoutError:
                pass
            else:
                return
            if len(self._under_way) < MOST_IN_FLIGHT:
                request = compose(self._plan, self._rng, self._conversations)
                task = asyncio.create_task(self._one(session, request))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            due += self._rng.uniform(0.5, 1.5) / self._plan.rate

    async def _one(self, session: aiohttp.ClientSession, request: Request) -> None:
        entry = await send(session, self._plan, request)
        self._book.write(entry.line())
        self._book.flush()


async def generate(plan: Plan) -> None:
    """Run the plan in this process; SIGTERM and SIGINT end it in order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    plan.ledger.parent.mkdir(parents=True, exist_ok=True)
    with plan.ledger.open("a", encoding="utf-8") as book:
        await Generator(plan, book).run(stop)


def parse(argv: Sequence[str] | None = None) -> Plan:
    """Command line → plan; exits with 2 and the reason on wrong input."""
    parser = argparse.ArgumentParser(prog="slipway_cli.demo.traffic", description=__doc__)
    parser.add_argument("--url", required=True, help="the gateway")
    parser.add_argument("--ledger", required=True, type=Path, help="JSON lines are appended here")
    parser.add_argument("--model", default="jargon")
    parser.add_argument("--rate", type=float, default=6.0, help="requests a second")
    parser.add_argument("--max-seconds", type=float, default=1800.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--long-share", type=float, default=0.25)
    parser.add_argument("--stream-share", type=float, default=0.5)
    parser.add_argument("--completion-share", type=float, default=0.25)
    given = parser.parse_args(argv)
    if not 0 < given.rate <= 100:
        parser.error("--rate must be above 0 and at most 100 requests a second")
    key = ClientSettings().api_key
    secret = key.get_secret_value() if key is not None else None
    return Plan(**vars(given) | {"url": given.url.rstrip("/"), "key": secret})


if __name__ == "__main__":
    asyncio.run(generate(parse()))
