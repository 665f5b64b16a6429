"""Sends hostile bytes on one connection, and judges the answers by llhttp's verdict on the bytes.

What was sent always ends in a well-formed request (``http_corpus.marker``) that must get its own
answer or a closed connection: an answer that belongs to another request shows by its id or prompt.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from hostile_site import Site, numbered
from http_corpus import MARK, ROW, SMUGGLED, Row, marker
from llhttp_verdict import End, Message, Verdict, verdict
from raw_http import NotHttpError, Response, Talk, read_responses, talk

WAYS = ("together", "after", "pieces")
CONCURRENCY = 24
DEADLINE = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One row sent in one way."""

    data: bytes
    talk: Talk
    mark: bytes


async def send(site: Site, row: Row, way: str, number: int) -> Sent:
    """The row, the marker with it, after it, or all in small pieces."""
    mark = numbered("m", number)
    data = row.data.replace(ROW, numbered("r", number)).replace(SMUGGLED, numbered("s", number))
    last = marker().replace(MARK, mark)
    whole = data + last
    if way == "together":
        got = await talk(site.port, [whole], deadline=DEADLINE)
    elif way == "after":
        got = await talk(site.port, [data], deadline=DEADLINE, after=[last])
    else:
        size = max(7, len(whole) // 200)
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        got = await talk(site.port, pieces, deadline=DEADLINE)
    return Sent(data=whole, talk=got, mark=mark)


def problems(row: Row, sent: Sent, engine: Counter[str]) -> list[str]:
    """What is wrong with the answers of one connection; empty when nothing."""
    if not sent.talk.closed:
        return [f"hangs: the connection is open after {DEADLINE} s; came {sent.talk.data[:300]!r}"]
    said = verdict(sent.data)
    methods = [message.method for message in said.messages]
    try:
        responses = read_responses(sent.talk.data, methods)
        return _judge(row, sent, said, responses, engine)
    except NotHttpError as error:
        return [f"the answers are not HTTP: {error}"]


def _judge(
    row: Row, sent: Sent, said: Verdict, responses: list[Response], engine: Counter[str]
) -> list[str]:
    wrong = [f"a 5xx: {r.status} {r.body[:200]!r}" for r in responses if r.status >= 500]
    left = list(responses)
    for index, message in enumerate(said.messages):
        if not left:
            # A refusal may end a connection early, silence may not.
            early = index > 0 and responses and _refusal(responses[-1])
            if not (early or (index > 0 and said.end is End.UPGRADE)):
                wrong.append(f"message {index} ({message.method!r}) has no answer")
            break
        response = left.pop(0)
        wrong += _judge_one(message, response)
        if index == 0 and row.status is not None and response.status != row.status:
            wrong.append(f"{response.status}, not {row.status}: {response.body[:200]!r}")
        if _refusal(response):
            break
    wrong += _judge_end(row, said, left, responses, sent)
    accepted = {_prompt(message) for message in said.messages}
    if said.end is End.UPGRADE:
        accepted |= {sent.mark, b"s" + sent.mark[1:]}
    ours = [b"r" + sent.mark[1:], b"s" + sent.mark[1:], sent.mark]
    for prompt in ours:
        if engine[prompt.decode()] and prompt not in accepted:
            wrong.append(f"the engine saw {prompt!r}, which is in no message")
    return wrong


def _judge_one(message: Message, response: Response) -> list[str]:
    wrong = []
    own = response.header("x-request-id")
    expected = message.request_id
    if expected is not None and own != expected.decode() and not _refusal(response):
        wrong.append(f"the answer to {expected!r} carries the id {own!r}")
    if not response.whole:
        wrong.append(f"an answer is cut: {response.body[:100]!r}")
    if response.status == 200 and b"chat/completions" in message.target.lower():
        text = response.json()["choices"][0]["message"]["content"].encode("utf-8", "replace")
        asked = _prompt(message)
        if asked is not None and text != asked:
            wrong.append(f"the answer to {asked!r} is {text!r}")
    if response.status >= 400 and message.method != b"HEAD":
        error = response.json()["error"]
        if not {"message", "type", "code"} <= error.keys():
            wrong.append(f"not an OpenAI error: {error}")
    return wrong


def _judge_end(
    row: Row, said: Verdict, left: list[Response], responses: list[Response], sent: Sent
) -> list[str]:
    wrong = []
    if row.refused and (said.end is not End.REFUSED or said.messages):
        wrong.append(f"llhttp accepts what must be refused: {said.end.value}")
    refused_already = bool(responses) and not left and _refusal(responses[-1])
    if said.end is End.REFUSED and not refused_already:
        if not left:
            wrong.append(f"llhttp refuses ({said.reason}), and no 4xx said so")
        elif not (_refusal(left[0]) or _early(said.broken, left[0])):
            wrong.append(f"llhttp refuses ({said.reason}); answered {left[0].status}")
        left = left[1:]
    if said.end is End.INCOMPLETE and left:
        # The rest never came: 408 or the like, or an answer that needs no body.
        if left[0].status < 400 and not (said.broken and said.broken.head_whole):
            wrong.append(f"half a message was answered with {left[0].status}")
        left = left[1:]
    marked = [r for r in left if r.header("x-request-id") == sent.mark.decode()]
    if said.end is End.UPGRADE or (said.messages and said.messages[-1].version == "1.0"):
        left = [r for r in left if r not in marked]
    # A server may refuse once more before it closes.
    if left and not (len(left) == 1 and _refusal(left[0])):
        wrong.append(f"answers without a request: {[(r.status, r.headers) for r in left]}")
    return wrong


def _early(broken: Message | None, response: Response) -> bool:
    """An answer that did not need the body whose framing broke afterwards."""
    if broken is None or not broken.head_whole:
        return False
    return 400 <= response.status < 500 or broken.method in (b"GET", b"HEAD")


def _refusal(response: Response) -> bool:
    return 400 <= response.status < 500 and response.closes


def _prompt(message: Message) -> bytes | None:
    """The last message's text, which the engine repeats; None where there is none."""
    try:
        content = json.loads(message.body)["messages"][-1]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return content.encode("utf-8", "replace") if isinstance(content, str) else None
