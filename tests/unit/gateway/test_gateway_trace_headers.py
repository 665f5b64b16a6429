"""What of a client's trace context reaches the engine where nothing is traced."""

from __future__ import annotations

import pytest

from slipway_gateway.hotpath.head import passed_on, read_head

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        ([], b""),
        ([(b"tracestate", b"a=1")], b""),
        ([(b"traceparent", PARENT)], b"traceparent: %b\r\n" % PARENT),
        (
            [(b"tracestate", b"a=1"), (b"traceparent", PARENT), (b"tracestate", b"b=2")],
            b"traceparent: %b\r\ntracestate: a=1,b=2\r\n" % PARENT,
        ),
        ([(b"traceparent", b"what it is")], b"traceparent: what it is\r\n"),
        ([(b"traceparent", PARENT), (b"traceparent", PARENT)], b""),
    ],
)
def test_lines(headers: list[tuple[bytes, bytes]], lines: bytes) -> None:
    head = read_head(headers)
    head.check()
    assert passed_on(head) == lines
