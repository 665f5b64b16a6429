"""For whom the worker asks, in one header: there and back, and what cannot be read."""

from __future__ import annotations

import pytest

from slipway_contracts.behalf import Asker, credential_for, read_credential


@pytest.mark.parametrize(
    "asker",
    [
        Asker(tenant="acme", key_id="0123456789ab"),
        Asker(tenant=""),
        Asker(tenant='по-русски "quoted" for x'),
    ],
    ids=["key", "nobody", "odd"],
)
def test_what_is_said_is_read(asker: Asker) -> None:
    credential = credential_for("slw_secret", asker)
    assert credential.isascii()
    assert read_credential(credential) == ("slw_secret", asker)


def test_a_key_alone_is_for_its_own() -> None:
    assert read_credential("slw_secret") == ("slw_secret", None)


@pytest.mark.parametrize("told", ["", "acme", "e30=", "WzFd", "WzEsMl0=", "WyJhIiwiYiIsImMiXQ=="])
def test_what_cannot_be_read_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="key id"):
        read_credential(f"slw_secret for {told}")
