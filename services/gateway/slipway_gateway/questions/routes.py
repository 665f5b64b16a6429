"""``POST /api/ask`` and ``GET /api/answer/{id}``, with the exact strings that S4's users know.

A question is stored together with the job that answers it, or, when the version that would answer
it now has answered the same text before, as answered. Knows neither the worker nor the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field, field_validator

from slipway_contracts.model import Task
from slipway_contracts.names import question_conversation
from slipway_gateway import routing
from slipway_gateway.control.route import Route
from slipway_gateway.errors import NoCapacity, UnknownQuestion
from slipway_gateway.tenants.counted import counted
from slipway_gateway.tenants.keys import Caller
from slipway_gateway.tracing import trace_now
from slipway_store import questions
from slipway_store.connect import Pool
from slipway_store.errors import UNAVAILABLE

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

Admit = Callable[["Gateway", Request], Caller]
T = TypeVar("T")

PROCESSING = "Ваш вопрос обрабатывается. Пожалуйста, попробуйте позже."
NOT_READY = "Ответ еще не готов."
TEXT_LIMIT = 32_768
STORE_TIMEOUT = 5.0


class AskBody(BaseModel):
    """A question. Other fields are ignored, as they were."""

    question_text: str = Field(min_length=1, max_length=TEXT_LIMIT)

    @field_validator("question_text")
    @classmethod
    def _can_be_stored(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError("must not hold NUL characters")
        return text


class AskAnswer(BaseModel):
    """``answer_text`` is the answer where it is known already."""

    question_id: int
    answer_text: str = Field(examples=[PROCESSING])


class AnswerBody(BaseModel):
    """What there is to say of a question now."""

    answer_text: str = Field(examples=[NOT_READY])


def questions_router(gateway: Gateway, admit: Admit) -> APIRouter:
    """The two routes."""
    router = APIRouter(prefix="/api", tags=["Questions"])

    @router.post("/ask", summary="Ask a question, to be answered later")
    async def ask(request: Request, body: AskBody) -> AskAnswer:
        caller = admit(gateway, request)
        route = gateway.table.default(Task.TEXT_GENERATION)
        if route is None:
            raise NoCapacity("no default Model serves text generation; set spec.default on one")
        caller.check(route.model)
        text = body.question_text
        version = version_now(gateway, route, tenant=caller.tenant, text=text)
        async with counted(gateway.limits, gateway.metrics, caller):
            stored = await _stored(
                gateway,
                lambda pool: questions.ask(
                    pool,
                    text,
                    tenant=caller.tenant,
                    model=route.model,
                    version=version,
                    priority=caller.priority,
                    key_id=caller.key_id,
                    trace=trace_now(request.headers),
                ),
            )
        known = stored.answer_text
        return AskAnswer(
            question_id=stored.question_id, answer_text=PROCESSING if known is None else known
        )

    @router.get("/answer/{question_id}", summary="The answer, once there is one")
    async def answer(
        request: Request, question_id: Annotated[int, Path(description="as /api/ask gave it")]
    ) -> AnswerBody:
        caller = admit(gateway, request)
        stored = await _stored(
            gateway, lambda pool: questions.find(pool, question_id, tenant=caller.tenant)
        )
        if stored is None:
            raise UnknownQuestion(f"there is no question {question_id}", param="question_id")
        known = stored.answer_text
        return AnswerBody(answer_text=NOT_READY if known is None else known)

    return router


def version_now(gateway: Gateway, route: Route, *, tenant: str, text: str) -> str | None:
    """Which version the worker would be sent to with this question; None while nothing serves."""
    guard = route.guard
    tripped = guard is not None and gateway.guard.is_tripped(route.model, guard.rollout_id)
    unit = "c:" + question_conversation(tenant, text)
    backend = routing.choose(route, unit, fenced=gateway.is_fenced(), tripped=tripped)
    return None if backend is None else backend.version


async def _stored(gateway: Gateway, work: Callable[[Pool], Awaitable[T]]) -> T:
    pool = gateway.link.pool
    away = NoCapacity("questions cannot be stored or read now; try again in a few seconds")
    if pool is None:
        raise away
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            return await work(pool)
    except UNAVAILABLE as error:
        raise away from error
