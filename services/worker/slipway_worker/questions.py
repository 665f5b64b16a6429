"""The kind ``question`` (S4): a stored question is asked of its Model, and the answer is stored.

The same text goes to the same version of a split (the conversation is the text's digest), which is
the version whose cached answer the gateway looks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from slipway_contracts.behalf import Asker
from slipway_contracts.names import question_conversation
from slipway_store import questions as store
from slipway_store.connect import Connection, Pool
from slipway_store.questions import Answer, Failure
from slipway_worker.errors import Hopeless
from slipway_worker.gateway import GatewayClient
from slipway_worker.kinds import Dead, Finished, Job

# In the language of the strings that S4's users know.
FAILED = "Не удалось получить ответ на ваш вопрос."
REASON = "Причина: "


class Questions:
    """``Kind``."""

    name = store.KIND
    rank = 0

    def __init__(self, pool: Pool, gateway: GatewayClient) -> None:
        self._pool = pool
        self._gateway = gateway

    async def run(self, job: Job) -> Answer | None:
        """None where the question was answered meanwhile."""
        question = await store.read(self._pool, _question_of(job))
        if question is None:
            raise Hopeless("the question is not there any more")
        if not question.waiting:
            return None
        text = question.question_text
        reply = await self._gateway.chat(
            question.model,
            text,
            conversation=question_conversation(question.tenant, text),
            asker=Asker(tenant=question.tenant, key_id=job.key_id),
        )
        return Answer(
            question=question,
            answer_text=reply.text,
            version=reply.version,
            request_id=reply.request_id,
        )

    async def store(self, connection: Connection, finished: Sequence[Finished]) -> None:
        answers = [one.result for one in finished if one.result is not None]
        if answers:
            await store.store_answers(connection, answers)

    async def fail(self, connection: Connection, dead: Sequence[Dead]) -> None:
        failures = [
            Failure(
                question_id=_question_of(one.job),
                answer_text=f"{FAILED} {REASON}{one.told}" if one.told else FAILED,
            )
            for one in dead
        ]
        await store.store_failures(connection, failures)


def _question_of(job: Job) -> int:
    return int(orjson.loads(job.payload)["question"])
