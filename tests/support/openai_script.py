"""Every call of OpenAI's own Python client that Slipway supports, as one script.

``pass_through`` is what an engine answers itself: run against the gateway and straight against the
engine, it gives the same results. ``mapped`` is what the gateway adds.
"""

from __future__ import annotations

from typing import Any

import openai

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
FUNCTION = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
}


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def pass_through(client: openai.OpenAI, model: str) -> dict[str, Any]:
    """Name of the call → what came back."""
    chat, text = client.chat.completions, client.completions
    streamed = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
    with client.chat.completions.stream(model=model, messages=user("hello there")) as helper:
        for _ in helper:
            pass
        helped = helper.get_final_completion()
    calls: dict[str, Any] = {
        "chat": chat.create(model=model, messages=user("hello there"), temperature=0.5),
        "limited": chat.create(model=model, messages=user("hi"), max_completion_tokens=2),
        "streamed": list(chat.create(messages=user("hello"), **streamed)),
        "helped": helped,
        "tools": chat.create(model=model, messages=user("!tool"), tools=[TOOL]),
        "tools streamed": list(chat.create(messages=user("!tool"), tools=[TOOL], **streamed)),
        "structured": chat.create(model=model, messages=user("x"), response_format=FORMAT),
        "extra": chat.create(model=model, messages=user("x"), extra_body={"top_k": 3}),
        "completion": text.create(model=model, prompt="once", max_tokens=3),
        "completions": text.create(model=model, prompt=["once", "upon"]),
        "completion streamed": list(text.create(prompt="once", max_tokens=3, **streamed)),
        "embedding": client.embeddings.create(model=model, input="hello"),
        "embeddings": client.embeddings.create(
            model=model, input=["a", "b"], encoding_format="float"
        ),
        "wrong": refusal(lambda: chat.create(model=model, messages=user("!error400"))),
        "broken": refusal(lambda: chat.create(model=model, messages=user("!error500"))),
    }
    return {name: plain(result) for name, result in calls.items()}


async def pass_through_async(client: openai.AsyncOpenAI, model: str) -> dict[str, Any]:
    """The same client's other half; a part of the calls."""
    chat = client.chat.completions
    stream = await chat.create(model=model, messages=user("hello"), stream=True)
    return {
        "chat": plain(await chat.create(model=model, messages=user("hello there"))),
        "streamed": [plain(chunk) async for chunk in stream],
        "completion": plain(await client.completions.create(model=model, prompt="once")),
        "embedding": plain(await client.embeddings.create(model=model, input="hello")),
    }


def refusal(call: Any) -> tuple[str, int, Any]:
    """Its class, status and the engine's own words."""
    try:
        call()
    except openai.APIStatusError as error:
        return type(error).__name__, error.status_code, error.body
    raise AssertionError("it was answered")


def plain(result: Any) -> Any:
    """Comparable: the client's objects as data."""
    if isinstance(result, list):
        return [plain(one) for one in result]
    return result.model_dump(mode="json") if hasattr(result, "model_dump") else result
