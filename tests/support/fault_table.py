"""What engines do wrong, as a table of scripts for ``FaultServer``, and how each call must end.

``FAILS``: an OpenAI error, or a stream whose last event is one. ``PASSES``: the answer, untouched.
``EITHER``: one of the two. Timeouts of the gateway under test are a few seconds.
"""

from __future__ import annotations

import enum
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fault_server import (
    END,
    Close,
    Drip,
    Flood,
    HalfClose,
    Hang,
    Pause,
    Pieces,
    Reset,
    Script,
    chunk,
    event,
    events,
    http,
    stream_head,
    whole,
)


class Ends(enum.Enum):
    """How a call ends."""

    FAILS = "an OpenAI error or a marked end"
    PASSES = "the answer, untouched"
    EITHER = "one of the two"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``body``: what a passing answer's body must be, byte for byte; None: not looked at.

    ``tokens`` false: the log must believe no count. ``rest``: seconds before the engine is asked
    again, for bytes that come on an idle connection.
    """

    name: str
    script: Script
    stream: bool = False
    ends: Ends = Ends.FAILS
    body: bytes | None = None
    tokens: bool = True
    rest: float = 0.0


GOOD = whole("good")
FAILS, PASSES, EITHER = Ends.FAILS, Ends.PASSES, Ends.EITHER
CLOSE, RESET, HANG = Close(), Reset(), Hang()
STREAM = events("streamed")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def _wholes(ends: Ends, scripts: dict[str, Any], **more: Any) -> Iterator[Fault]:
    for name, script in scripts.items():
        steps = script if isinstance(script, tuple) else (script,)
        yield Fault(name=name, script=steps, ends=ends, **more)


def _heads() -> Iterator[Fault]:
    """Before and in the head."""
    yield from _wholes(
        FAILS,
        {
            "reset-before-head": RESET,
            "close-before-head": CLOSE,
            "half-close-before-head": HalfClose(),
            "hang-before-head": HANG,
            "reset-in-status-line": (b"HTTP/1.1 20", RESET),
            "close-in-headers": (_HEAD + b"x-a: ", CLOSE),
            "reset-in-headers": (_HEAD, RESET),
            "hang-in-headers": (_HEAD, HANG),
            "drip-of-head": Drip(http(GOOD), 0.2),
            "not-http": b"\0\1\2\3" * 100,
            "ssh": (b"SSH-2.0-OpenSSH_9.9\r\n", HANG),
            "http-0.9": (GOOD, CLOSE),
            "status-99": http(GOOD, status="99 Low"),
            "status-999": http(GOOD, status="999 High"),
            "status-0": http(GOOD, status="000 None"),
            "status-negative": http(GOOD, status="-200 OK"),
            "status-word": http(GOOD, status="OK OK"),
            "status-4-digits": http(GOOD, status="2000 OK"),
            "status-line-100k": (b"HTTP/1.1 200 " + b"k" * 100_000 + b"\r\n", HANG),
            "header-flood": (_HEAD, Flood(b"x-a: " + b"y" * 1000 + b"\r\n", 20_000), HANG),
            "header-without-end": (_HEAD + b"x-a: ", Flood(b"y" * 65_536, 400), HANG),
            "header-nul": http(GOOD, "x-a: b\0c"),
            "header-no-colon": http(GOOD, "x-a"),
            "header-space-in-name": http(GOOD, "x a: b"),
            "length-negative": (_HEAD + b"content-length: -1\r\n\r\n" + GOOD, CLOSE),
            "length-word": (_HEAD + b"content-length: abc\r\n\r\n" + GOOD, CLOSE),
            "length-two": (_HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", CLOSE),
            "length-huge": (_HEAD + b"content-length: 99999999999999999999\r\n\r\n", CLOSE),
            "gzip-coding": http(gzip.compress(GOOD), "content-encoding: gzip"),
            "gzip-transfer": (_HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n" + END, CLOSE),
            "switching-protocols": (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", HANG),
        },
    )
    yield from _wholes(
        EITHER,
        {
            "header-64k": http(GOOD, "x-a: " + "y" * 65_536),
            "headers-1000": http(GOOD, *(f"x-{n}: y" for n in range(1000))),
            "header-fold": http(GOOD, "x-a: b\r\n c"),
            "header-bare-cr": http(GOOD, "x-a: b\rset-cookie: evil=1"),
            "header-bare-lf": http(GOOD, "x-a: b\nx-b: c"),
            "header-high-bytes": http(GOOD, "x-a: \xe9\xff"),
            "http-2.0": http(GOOD).replace(b"HTTP/1.1", b"HTTP/2.0"),
            "length-twice-same": http(GOOD, f"content-length: {len(GOOD)}"),
            "length-and-chunks": http(GOOD, "transfer-encoding: chunked"),
            "status-206": http(GOOD, status="206 Partial"),
            "100-a-thousand-times": (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, http(GOOD)),
            "no-content-type": (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(GOOD), GOOD),
            "content-type-twice": http(GOOD, "content-type: text/html"),
            "content-type-bytes": http(GOOD, kind="\xff/\xfe"),
        },
    )
    yield from _wholes(
        PASSES,
        {
            "100-first": (b"HTTP/1.1 100 Continue\r\n\r\n", http(GOOD)),
            "103-first": (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", http(GOOD)),
            "http-1.0": (http(GOOD).replace(b"HTTP/1.1", b"HTTP/1.0"), CLOSE),
            "http-1.0-no-length": (_HEAD.replace(b"1.1", b"1.0") + b"\r\n" + GOOD, CLOSE),
            "close-delimited": (_HEAD + b"\r\n" + GOOD, CLOSE),
            "connection-close": (http(GOOD, "connection: close"), CLOSE),
            "connection-close-that-stays": (http(GOOD, "connection: close"), HANG),
            "set-cookie": http(GOOD, "set-cookie: session=1; path=/"),
            "hop-headers": http(GOOD, "keep-alive: timeout=9", "te: trailers", "upgrade: h2c"),
            "own-labels": http(GOOD, "x-request-id: evil", "x-slipway-version: evil"),
            "no-reason": http(GOOD, status="200 "),
            "slow-but-whole": (Pause(0.5), http(GOOD)[:30], Pause(0.5), http(GOOD)[30:]),
            "in-pieces": Pieces(http(GOOD)),
        },
        body=GOOD,
    )


def _statuses() -> Iterator[Fault]:
    """Answers that are errors, or none that a chat can have."""
    error = json.dumps({"error": {"message": "no", "type": "x", "code": 1, "param": None}}).encode()
    html = b"<html>" + b"broken " * 5000 + b"</html>"
    for status in (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504, 507, 599):
        line = f"{status} Whatever"
        for name, body, kind in (
            ("openai", error, "application/json"),
            ("detail", b'{"detail":"no"}', "application/json"),
            ("html", html, "text/html"),
            ("empty", b"", "text/plain"),
        ):
            answer = http(body, "retry-after: 7", status=line, kind=kind)
            yield Fault(name=f"status-{status}-{name}", script=(answer,))
    place = "location: http://127.0.0.1:9/v1/chat/completions"
    for status in (204, 205, 304, 300, 301, 302, 303, 307, 308):
        bare = f"HTTP/1.1 {status} X\r\n{place}\r\n".encode()
        given = bare + (b"\r\n" if status in (204, 304) else b"content-length: 0\r\n\r\n")
        yield Fault(name=f"status-{status}", script=(given,))
    for status in (301, 307):
        answer = http(GOOD, place, status=f"{status} X")
        yield Fault(name=f"status-{status}-with-body", script=(answer,))
    streamed = http(error, status="500 X")
    yield Fault(name="status-500-to-a-stream", script=(streamed,), stream=True)
    yield Fault(
        name="status-503-as-a-stream",
        script=(stream_head(status="503 X") + chunk(event({"error": {"message": "x"}})) + END,),
        stream=True,
    )


def _bodies() -> Iterator[Fault]:
    """Whole answers: framing and content."""
    chunked = _HEAD + b"transfer-encoding: chunked\r\n\r\n"
    long = _HEAD + b"content-length: %d\r\n\r\n" % (len(GOOD) + 10)
    yield from _wholes(
        FAILS,
        {
            "length-too-long-close": (long + GOOD, CLOSE),
            "length-too-long-hang": (long + GOOD, HANG),
            "length-too-long-reset": (long + GOOD, RESET),
            "length-too-short": _HEAD + b"content-length: 20\r\n\r\n" + GOOD,
            "reset-in-body": (http(GOOD)[:-20], RESET),
            "hang-in-body": (http(GOOD)[:-20], HANG),
            "drip-of-body": (http(GOOD)[:-100], Drip(http(GOOD)[-100:], 0.2)),
            "chunk-reset": (chunked + chunk(GOOD)[:-20], RESET),
            "chunk-bad-size": (chunked + b"zz\r\n" + GOOD, HANG),
            "chunk-negative": (chunked + b"-5\r\n" + GOOD, HANG),
            "chunk-huge": (chunked + b"f" * 16 + b"\r\n" + GOOD, CLOSE),
            "chunk-overflow": (chunked + b"1" + b"0" * 16 + b"\r\n" + GOOD, HANG),
            "chunk-too-short": (chunked + b"5\r\n" + GOOD + b"\r\n" + END, HANG),
            "chunk-no-end-close": (chunked + chunk(GOOD), CLOSE),
            "chunk-no-end-hang": (chunked + chunk(GOOD), HANG),
            "chunk-size-flood": (chunked, Flood(b"0" * 65_536, 200), HANG),
            "json-array": http(b"[" + GOOD + b"]"),
            "json-string": http(b'"good"'),
            "json-null": http(b"null"),
            "json-number": http(b"7"),
            "json-cut": http(GOOD[:-5]),
            "json-nan": http(GOOD.replace(b"3", b"NaN")),
            "json-not-utf-8": http(GOOD.replace(b"good", b"\xff\xfe\xfd")),
            "json-deep": http(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
            "empty-body": http(b""),
            "html": http(b"<html>welcome</html>", kind="text/html"),
            "over-the-limit": http(whole("x" * 5_000_000)),
            "endless": (_HEAD + b"\r\n", Flood(b"x" * 65_536, 1600), CLOSE),
            "endless-chunks": (chunked, Flood(chunk(b"x" * 65_536), 1600), CLOSE),
        },
    )
    trailer = chunk(GOOD) + b"0\r\nx-check: 1\r\nset-cookie: evil=1\r\n\r\n"
    yield from _wholes(
        PASSES,
        {
            "chunk-extension": chunked + b"%x;a=b\r\n%b\r\n" % (len(GOOD), GOOD) + END,
            "chunk-trailer": chunked + trailer,
            "chunks-of-one-byte": chunked + b"".join(chunk(bytes([b])) for b in GOOD) + END,
            "closes-without-a-word": (http(GOOD), CLOSE),
            "early-answer": http(GOOD),
        },
        body=GOOD,
    )
    # Bytes that nobody asked for: they must never become the answer of another request.
    yield from _wholes(
        EITHER,
        {
            "then-garbage": http(GOOD) + b"garbage\r\n\r\n",
            "then-a-second-answer": http(GOOD) + http(whole("POISON")),
            "then-an-endless-flood": (http(GOOD), Flood(b"x" * 65_536, 1600), CLOSE),
        },
    )
    yield from _wholes(
        PASSES,
        {
            "resets-after-the-end": (http(GOOD), Pause(0.1), RESET),
            "then-a-second-answer-later": (http(GOOD), Pause(0.1), http(whole("POISON"))),
            "then-a-408": (http(GOOD), Pause(0.1), http(b"{}", status="408 Timeout"), CLOSE),
        },
        body=GOOD,
        rest=2.0,
    )
    for name, value in _LIES.items():
        lie = whole("good", usage={"prompt_tokens": value, "completion_tokens": value})
        yield Fault(
            name=f"usage-{name}",
            script=(http(lie),),
            ends=PASSES,
            body=lie,
            tokens=False,
        )
    for name, odd in {
        "choices-null": whole("x", choices=None),
        "choices-text": whole("x", choices="no"),
        "choices-empty": whole("x", choices=[]),
        "choices-deep": whole("x", choices=[[[[]]]]),
        "error-in-200": json.dumps({"error": {"message": "no", "type": "x", "code": 1}}).encode(),
        "empty-object": b"{}",
        "duplicate-names": b'{"choices":[],"choices":3}',
    }.items():
        yield Fault(name=f"odd-{name}", script=(http(odd),), ends=EITHER)
    sse = http(STREAM, kind="text/event-stream")
    yield Fault(name="a-stream-nobody-asked-for", script=(sse,), ends=EITHER)


_LIES = {
    "negative": -5,
    "float": 1.5,
    "huge": 10**30,
    "string": "7",
    "bool": True,
    "list": [1],
    "null": None,
    "object": {"a": 1},
    "int64": 2**63,
}


def rows() -> tuple[Fault, ...]:
    """The whole table."""
    from fault_streams import streams

    return (*_heads(), *_statuses(), *_bodies(), *streams(_LIES))
