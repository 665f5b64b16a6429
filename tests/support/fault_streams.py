"""The faults of streams: broken off, stalled, split anywhere, and in every form that SSE allows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

from fault_server import (
    DONE,
    END,
    Drip,
    Flood,
    Pause,
    Pieces,
    Step,
    chunk,
    event,
    events,
    http,
    piece,
    stream_head,
)
from fault_table import CLOSE, EITHER, FAILS, HANG, PASSES, RESET, Ends, Fault

HEAD = stream_head()
GOOD = events("streamed")
FIRST = event(piece("str"))
TAIL = event(piece("", "stop")) + DONE


def streams(lies: dict[str, Any]) -> Iterator[Fault]:
    """All of them."""
    yield from _ends()
    yield from _forms()
    for name, value in lies.items():
        usage = {"prompt_tokens": value, "completion_tokens": value}
        data = FIRST + event(piece("", "stop", usage=usage)) + DONE
        yield _fault(f"usage-{name}", PASSES, HEAD + chunk(data) + END, body=data, tokens=False)


def _fault(name: str, ends: Ends, *script: Step, **more: Any) -> Fault:
    return Fault(name=f"stream-{name}", script=script, stream=True, ends=ends, **more)


def _ends() -> Iterator[Fault]:
    """How a stream stops."""
    begun = HEAD + chunk(FIRST)
    half = HEAD + chunk(FIRST + b'data: {"choices": [{"del')
    big = b"data: " + b"x" * 65_536
    for name, script in {
        "reset": (begun, RESET),
        "close": (begun, CLOSE),
        "hang": (begun, HANG),
        "hang-before-first": (HEAD, HANG),
        "close-before-first": (HEAD, CLOSE),
        "reset-in-event": (half, RESET),
        "close-in-event": (half, CLOSE),
        "hang-in-event": (half, HANG),
        "ends-in-event": (half + END,),
        "ends-empty": (HEAD + END,),
        "ends-without-mark": (begun + END,),
        "reset-in-chunk": (HEAD + chunk(FIRST)[:-10], RESET),
        "bad-chunk": (begun + b"zz\r\n", HANG),
        "huge-chunk": (begun + b"f" * 16 + b"\r\n" + FIRST, CLOSE),
        "drip": (HEAD, Drip(chunk(GOOD), 0.3)),
        "length-too-long": (http(FIRST, kind="text/event-stream").replace(b"h: ", b"h: 9"), CLOSE),
        "gzip": (stream_head("content-encoding: gzip") + chunk(gzip.compress(GOOD)) + END,),
        "comments-for-ever": (HEAD, *((chunk(b": ping\n\n"), Pause(0.5)) * 20)),
        "html": (HEAD + chunk(b"<html>oops</html>") + END,),
        "second-head-inside": (HEAD + b"HTTP/1.1 500 X\r\n\r\n", HANG),
        "line-of-100-mb": (HEAD, Flood(chunk(big), 1600), CLOSE),
    }.items():
        yield _fault(name, FAILS, *script)
    broken = event({"error": {"message": "engine died", "type": "x", "code": 500}})
    yield _fault("error-event", FAILS, begun + chunk(broken) + END)
    deep = b'data: {"error": ' + b"[" * 1010 + b"]" * 1010 + b"}\n\n"
    yield _fault("error-event-too-deep", EITHER, begun + chunk(deep) + END)
    yield _fault("error-event-then-reset", EITHER, begun + chunk(broken), RESET)
    yield _fault("error-event-then-done", EITHER, begun + chunk(broken + DONE) + END)
    done = HEAD + chunk(GOOD)
    yield _fault("done-then-hang", EITHER, done, HANG)
    yield _fault("done-then-close", EITHER, done, CLOSE)
    yield _fault("done-then-reset", EITHER, done, RESET)
    yield _fault("done-then-flood", EITHER, done, Flood(chunk(b": x\n\n" * 1000), 3000), CLOSE)
    yield _fault("json-instead", EITHER, http(b'{"choices": []}'))


def _forms() -> Iterator[Fault]:
    """Streams that are whole, in odd forms: passed byte for byte."""
    text = events("Привет 🚀 мир")
    for name, data in {
        "plain": GOOD,
        "crlf": GOOD.replace(b"\n", b"\r\n"),
        "utf-8": text,
        "comments": b": hello\n\n" + GOOD,
        "no-space": GOOD.replace(b"data: ", b"data:"),
        "unknown-fields": b"event: x\nid: 7\nretry: 10\nwhat: ever\n" + GOOD,
        "empty-events": b"data:\n\n" * 50 + GOOD,
        "blank-lines": b"\n" * 10_000 + GOOD,
        "array-event": b"data: [1]\n\n" + GOOD,
        "number-event": b"data: 7\n\n" + GOOD,
        "broken-event": b"data: {nope\n\n" + GOOD,
        "nul-event": b"data: \0\n\n" + GOOD,
        "not-utf-8": b"data: \xff\xfe\n\n" + GOOD,
        "bom": b"\xef\xbb\xbf" + GOOD,
        "many-lines": b'data: {"choices":\ndata: []}\n\n' + GOOD,
        "no-done": FIRST + TAIL[: -len(DONE)],
        "no-finish": FIRST + DONE,
        "after-done": GOOD + b": bye\n\n",
        "done-twice": GOOD + DONE,
        "last-blank-missing": GOOD[:-1],
        "big-event": event(piece("x" * 900_000)) + TAIL,
        "finish-number": FIRST + event(piece("", 7)) + DONE,
        "line-separator": event(piece("a\u2028b")) + TAIL,
    }.items():
        yield _fault(name, PASSES, HEAD + chunk(data) + END, body=data)
    # CR alone ends a line by the standard, too; who does not know it must at least say so.
    cr = GOOD.replace(b"\n", b"\r")
    yield _fault("cr-only", EITHER, HEAD + chunk(cr) + END)
    for size in (1, 2, 3, 5, 7):
        yield _fault(f"pieces-of-{size}", PASSES, Pieces(HEAD + chunk(text) + END, size), body=text)
    ones = b"".join(chunk(text[at : at + 1]) for at in range(len(text)))
    yield _fault("chunks-of-one-byte", PASSES, HEAD + ones + END, body=text)
    for at in range(1, len(GOOD), 7):
        cut = (HEAD + chunk(GOOD[:at]), Pause(0.01), chunk(GOOD[at:]) + END)
        yield _fault(f"cut-at-{at}", PASSES, *cut, body=GOOD)
    plain = b"content-type: text/event-stream\r\n"
    bare = b"HTTP/1.1 200 OK\r\n" + plain + b"\r\n" + GOOD
    yield _fault("close-delimited", PASSES, bare, CLOSE, body=GOOD)
    yield _fault("http-1.0", PASSES, bare.replace(b"1.1", b"1.0"), CLOSE, body=GOOD)
    yield _fault("with-length", PASSES, http(GOOD, kind="text/event-stream"), body=GOOD)
    kind = "text/event-stream; charset=utf-8"
    yield _fault("charset", PASSES, http(GOOD, kind=kind), body=GOOD)
    yield _fault("kind-case", PASSES, http(GOOD, kind="Text/Event-Stream"), body=GOOD)
    trailer = HEAD + chunk(GOOD) + b"0\r\nx-check: 1\r\n\r\n"
    yield _fault("trailer", PASSES, trailer, body=GOOD)
    yield _fault("then-garbage", EITHER, HEAD + chunk(GOOD) + END + b"garbage")
    second = HEAD + chunk(GOOD) + END + http(b'{"choices":[],"POISON":1}')
    yield _fault("then-a-second-answer", EITHER, second)
    slow = [
        step for at in range(0, len(GOOD), 40) for step in (chunk(GOOD[at : at + 40]), Pause(0.1))
    ]
    yield _fault("slow-but-whole", PASSES, HEAD, *slow, END, body=GOOD)
