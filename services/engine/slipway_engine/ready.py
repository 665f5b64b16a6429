"""A replica that counts as running only after it answered a real completion.

Serve's RUNNING, and ``/v1/models``, come before vLLM can sample: the first request is what finds a
missing compiler, a broken kernel or a chat template that never ends. Here that request is part of
the start, and so is a second look at the artifact. Knows Ray's LLM server and nothing of routes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ray.llm._internal.common.callbacks.base import CallbackBase
from ray.llm._internal.serve.core.configs.openai_api_models import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    CompletionRequest,
    CompletionResponse,
)
from ray.serve.llm import LLMConfig
from ray.serve.llm.deployment import LLMServer

from slipway_contracts.backend import BackendArgs
from slipway_engine.errors import NotReady
from slipway_engine.logs import speak
from slipway_engine.verify import chat_templates, verified

FIRST_COMPLETION_SECONDS = 300.0
FIRST_COMPLETION_TOKENS = 2


class VerifiedLLMServer(LLMServer):  # type: ignore[misc]  # Ray ships no types
    """Ray's LLM server between two checks. ``backend``: ``BackendArgs`` in wire form."""

    # Serve awaits a constructor that is a coroutine, and Ray's own is one.
    async def __init__(  # type: ignore[misc]
        self, llm_config: LLMConfig, *, backend: dict[str, Any]
    ) -> None:
        """Verify, start the engine, answer once. Raises Refused or NotReady."""
        self._backend = BackendArgs.model_validate(backend)
        speak(self._backend)
        folder, _ = await asyncio.to_thread(
            verified,
            self._backend.artifact,
            "text-generation",
            cache=self._backend.artifact_cache,
        )
        self._chats = bool(chat_templates(folder))
        await super().__init__(llm_config)

    async def _start_engine(self) -> None:
        # Replaces Ray's, which also starts an actor of 400 MB for its usage statistics.
        await self.engine.start()
        try:
            async with asyncio.timeout(FIRST_COMPLETION_SECONDS):
                await self._answer_once()
        except TimeoutError as error:
            raise NotReady(f"no completion within {FIRST_COMPLETION_SECONDS:.0f} s") from error

    async def _answer_once(self) -> None:
        prompt = self._backend.serving.warmup.prompt
        common = {"model": self._backend.model, "max_tokens": FIRST_COMPLETION_TOKENS}
        plain = CompletionRequest(prompt=prompt, ignore_eos=True, **common)
        _check([answer async for answer in self.engine.completions(plain, None)])
        if self._chats:
            chat = ChatCompletionRequest(
                messages=[{"role": "user", "content": prompt}], ignore_eos=True, **common
            )
            _check([answer async for answer in self.engine.chat(chat, None)])


class LocalArtifact(CallbackBase):  # type: ignore[misc]
    """The artifact is a folder already: Ray's download task is a process with vLLM for nothing."""

    async def on_before_node_init(self) -> None:
        """Switch the download off."""
        self.ctx.run_init_node = False


def _check(answers: list[Any]) -> None:
    last = answers[-1] if answers else None
    good = isinstance(last, CompletionResponse | ChatCompletionResponse)
    if last is None or not good or not last.usage.completion_tokens:
        raise NotReady(f"the first completion was answered by {last!r:.500}")
