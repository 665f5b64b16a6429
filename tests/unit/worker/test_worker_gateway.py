"""What the gateway's refusals mean for a job."""

from __future__ import annotations

import json

import pytest

from slipway_worker.errors import AttemptFailed, TryLater
from slipway_worker.gateway import refusal

BODY = json.dumps({"error": {"message": "too long"}}).encode()


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        *((status, TryLater) for status in (401, 403, 408, 429, 503)),
        *((status, type(None)) for status in (200, 400, 404, 413, 415, 422)),
        *((status, AttemptFailed) for status in (500, 502, 504, 302)),
    ],
)
def test_sorts(status: int, wanted: type) -> None:
    assert type(refusal(status, None, BODY)) is wanted


def test_says_what_the_gateway_said() -> None:
    assert str(refusal(503, None, BODY)) == "the gateway answered 503: too long"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        *(("7", 7.0), ("0.5", 0.5), (None, None), ("soon", None), ("-1", None), ("nan", None)),
        *(("inf", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)),
    ],
)
def test_reads_retry_after(header: str | None, wanted: float | None) -> None:
    found = refusal(429, header, b"")
    assert isinstance(found, TryLater)
    assert found.after == wanted
    assert "no reason given" in str(found)
