"""``slipway chat``: talk to a Model through the gateway, as any OpenAI client would."""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Annotated, Any

import typer

from slipway_cli.options import ModelArgument
from slipway_cli.settings import ClientSettings, require_state
from slipway_cli.shell import shell_of
from slipway_cli.terminal import Terminal

PROMPT = "you> "


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("chat")(chat)


def chat(
    ctx: typer.Context,
    model: ModelArgument,
    prompt: Annotated[
        str | None, typer.Argument(metavar="[PROMPT]", help="Ask once; - reads it from stdin.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="At most so many tokens.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2)] = None,
    key: Annotated[str | None, typer.Option(help="API key; default SLIPWAY_API_KEY.")] = None,
) -> None:
    """Chat with a Model, or ask it once."""
    shell = shell_of(ctx)
    settings = ClientSettings()
    secret = key or (settings.api_key.get_secret_value() if settings.api_key else None)
    conversation = Conversation(
        url=require_state(shell.layout).gateway_url,
        model=model,
        key=secret,
        extra=_given(max_tokens=max_tokens, temperature=temperature),
        terminal=shell.terminal,
        system=system,
    )
    if prompt is not None:
        asyncio.run(conversation.say(sys.stdin.read() if prompt == "-" else prompt))
        return
    shell.terminal.note("an empty line or Ctrl-D ends the conversation")
    while (line := _ask(shell.terminal)).strip():
        asyncio.run(conversation.say(line))


class Conversation:
    """The messages so far, and the id by which the split keeps them on one version."""

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key: str | None,
        extra: dict[str, Any],
        terminal: Terminal,
        system: str | None,
    ) -> None:
        self._url, self._model, self._key, self._extra = url, model, key, extra
        self._terminal = terminal
        self._id = secrets.token_hex(8)
        self._messages = [{"role": "system", "content": system}] if system else []

    async def say(self, text: str) -> None:
        """Send one message and print the answer as it comes."""
        # An HTTP client takes a quarter of a second to import; no other verb waits for it.
        from slipway_cli.gateway import Answer, Ask, stream_chat

        messages = [*self._messages, {"role": "user", "content": text}]
        ask = Ask(
            model=self._model,
            messages=messages,
            conversation=self._id,
            key=self._key,
            extra=self._extra,
        )
        answer, pieces = Answer(), []
        async for piece in stream_chat(self._url, ask, answer):
            pieces.append(piece)
            self._terminal.out.out(piece, end="", highlight=False)
        self._terminal.print()
        self._messages = [*messages, {"role": "assistant", "content": "".join(pieces)}]
        cut = ", cut at its token limit" if answer.finish_reason == "length" else ""
        self._terminal.note(f"[{answer.version or 'unknown version'}{cut}]")


def _given(**fields: float | None) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _ask(terminal: Terminal) -> str:
    """One line from the person; empty at the end of the input."""
    try:
        return terminal.err.input(PROMPT) if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError:
        return ""
