"""The properties of ``StreamSniffer`` that hold for any bytes, and a fuzzer led by coverage.

``python tests/support/fuzz_sniffer.py -runs=100000`` (needs atheris; libFuzzer's options). Tests
feed the same ``check`` from hypothesis.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any

from slipway_gateway.hotpath.sniff import EVENT_LIMIT, StreamSniffer

FRAGMENTS = (
    b"data:",
    b"data: ",
    b"data",
    b":",
    b": comment",
    b"event: x",
    b"id: 1",
    b"retry: 5",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\r\r",
    b"\n\r",
    b"\0",
    b" ",
    b"\xef\xbb\xbf",
    b"[DONE]",
    b"data: [DONE]\n\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\xff",
    b"\xf0\x9f",
    b"\x9a\x80",
    "Привет".encode(),
    "\u2028\u2029\x85".encode(),
    b"\x85\x1c",
    b'{"choices":[{"delta":{"content":"a"}}]}',
    b'data: {"choices":[{"delta":{"content":"b"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b'{"choices":',
    b"null",
    b"1e999",
    b'{"choices":[{"delta":{"tool_calls":[1]},"text":"t"}]}',
    b'{"choices":[1,null,{"delta":[]}]}',
    b'{"choices":{},"usage":[]}',
    b'{"usage":{"prompt_tokens":-1,"completion_tokens":3}}',
    b'{"usage":{"prompt_tokens":100000000000000000000000000000000}}',
    b'{"usage":{"prompt_tokens":"7"}}',
    b'{"error":{"message":"m"}}',
    b'{"error":"text"}',
    b'{"error":[1]}',
    b'{"error":{"message":{}}}',
    b'data: {"error":' + b"[" * 1010 + b"]" * 1010 + b"}\n\n",
    b'{"choices":[{"finish_reason":"length","text":5}]}',
    b"-0",
    b"NaN",
    b"Infinity",
    b"true",
    b"7",
)


def run(parts: Sequence[bytes]) -> tuple[bytes, Any]:
    """What a stream in these pieces gives: the bytes passed on, and what was seen."""
    sniffer = StreamSniffer()
    out = b"".join([sniffer.feed(part, float(at)) for at, part in enumerate(parts)])
    out += sniffer.rest(99.0)
    seen = sniffer.seen
    # Times depend on the pieces, of course.
    told = (
        *("".join(seen.text), seen.finish_reason, seen.prompt_tokens, seen.completion_tokens),
        *(seen.pieces, seen.tool_calls, seen.error, seen.done, seen.whole, sniffer.blind),
    )
    return out, told


def check(data: bytes, cuts: Sequence[int]) -> None:
    """Raises AssertionError where a property does not hold."""
    whole, told = run([data])
    assert whole == data
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    out, same = run([data[start:end] for start, end in itertools.pairwise(edges)])
    assert out == data
    if len(data) <= EVENT_LIMIT:
        assert same == told
    for token in (told[2], told[3]):
        assert token is None or 0 <= token < 2**31


def one(data: bytes) -> None:
    """Bytes of the fuzzer: a count of cuts, the cuts, then fragments by index or raw bytes."""
    count = data[0] % 8 if data else 0
    cuts = [int.from_bytes(data[1 + 2 * n : 3 + 2 * n], "big") for n in range(count)]
    rest = data[1 + 2 * count :]
    if len(rest) % 2:
        check(rest, cuts)
    else:
        check(b"".join(FRAGMENTS[byte % len(FRAGMENTS)] for byte in rest), cuts)


def main() -> None:
    import atheris  # type: ignore[import-not-found]

    atheris.instrument_all()
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
