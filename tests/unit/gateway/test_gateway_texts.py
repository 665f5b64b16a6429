"""What is kept of a text: by policy, after the redaction hook, never more than was asked for."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_gateway.attempts.texts import MARGIN, TextPolicy, Texts, load_redact


def texts(policy=TextPolicy.FULL, limit=10, **more):
    return Texts(policy=policy, limit=limit, **more)


def mask(text):
    return re.sub(r"\d{16}", "[card]", text)


def fail(text):
    raise RuntimeError(f"cannot read {text}")


def nothing(text):
    return None


@pytest.mark.parametrize(
    ("process", "tenant", "kept"),
    [
        ("full", None, "0123456789"),
        ("full", "none", None),
        ("none", "full", "0123456789"),
        ("none", None, None),
        ("hashed", "none", None),
        ("full", "fulll", None),
        ("none", "hashed", "sha256:" + hashlib.sha256(b"0123456789ab").hexdigest()),
        ("hashed", None, "sha256:" + hashlib.sha256(b"0123456789ab").hexdigest()),
    ],
)
def test_the_tenants_policy_goes_over_the_processes(process, tenant, kept):
    assert texts(TextPolicy(process)).keep(tenant, "0123456789ab") == kept
    assert texts(TextPolicy(process)).keep(tenant, "") is None


def test_a_limit_of_nothing_keeps_nothing_but_hashes():
    assert texts(limit=0).keep(None, "text") is None
    assert texts(limit=0).keep("hashed", "text") is not None


def test_hashes_under_a_key_cannot_be_tried_out_without_it():
    kept = texts(TextPolicy.HASHED, hash_key="pepper").keep(None, "text")
    assert kept == "hmac-sha256:" + hmac.digest(b"pepper", b"text", "sha256").hex()
    assert kept != texts(TextPolicy.HASHED, hash_key="salt").keep(None, "text")


@given(st.text())
def test_any_text_can_be_hashed(text):
    assert (texts(TextPolicy.HASHED).keep(None, text) is None) == (text == "")


def test_the_hook_sees_what_the_limit_would_cut():
    keeper = texts(redact=mask, limit=10)
    assert keeper.keep(None, "1" * 16 + "x") == "[card]x"
    # The card begins before the limit and ends behind it.
    assert keeper.keep(None, "12345 " + "1" * 16) == "12345 [car"
    assert keeper.keep("none", "1" * 16) is None
    seen = []
    texts(redact=lambda text: seen.append(text) or "", limit=10).keep(None, "x" * 100_000)
    assert len(seen[0]) == 10 + MARGIN


def test_what_is_hashed_was_redacted():
    keeper = texts(TextPolicy.HASHED, redact=mask)
    assert keeper.keep(None, "1" * 16) == keeper.keep(None, "2" * 16)
    assert keeper.withheld == 0


@pytest.mark.parametrize("hook", [fail, nothing])
@pytest.mark.parametrize("policy", list(TextPolicy)[:2])
def test_a_hook_that_fails_keeps_nothing_and_does_not_quote_the_text(hook, policy, caplog):
    keeper = texts(policy, redact=hook)
    assert keeper.keep(None, "secret") is None
    assert keeper.withheld == 1
    assert "secret" not in caplog.text
    assert "redaction hook" in caplog.text


def test_a_hook_is_found_by_name():
    assert load_redact("textwrap:dedent")(" a") == "a"


@pytest.mark.parametrize(
    "name",
    ["no_such_module_here:f", "textwrap:no_such", "textwrap:wrap", "math:pi", "math:sqrt", "os:"],
)
def test_a_hook_that_cannot_be_used_is_said_at_start(name):
    with pytest.raises(ValueError, match="redact: "):
        load_redact(name)
