"""The net below: forms of secrets go, what is no secret stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_telemetry.scrub import scrub

SECRET = "Zx9-hunter2_hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"slw_0123456789ab_{SECRET}",
        f"SLW_0123456789AB_{SECRET}",
        f"postgresql://slipway:{SECRET}@db:5432/slipway",
        f"cannot connect to https://:{SECRET}@host/",
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}",
        f"password={SECRET}",
        f"'PGPASSWORD': '{SECRET}'",
        f'{{"api_key": "{SECRET}"}}',
        f"client_secret = {SECRET}",
        f"x [type=string_type, input_value='{SECRET}', input_type=str]",
    ],
)
def test_it_hides(text: str) -> None:
    assert SECRET not in scrub(text)
    assert "hunter2" not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "listening on 127.0.0.1 port 8080; settings dsn=SecretStr('**********')",
        "prompt_tokens: 1234, completion_tokens: 5678",
        "http://user@host/path and https://host:8443/x",
        "password=***",
        "the token issuer's keys cannot be fetched: timeout",
        "see https://example.org/a:b and 12:30",
    ],
)
def test_it_leaves(text: str) -> None:
    assert scrub(text) == text


@given(st.text())
def test_it_never_fails_and_is_done_at_once(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)
