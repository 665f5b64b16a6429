"""What crosses between a platform and a serving application."""

from __future__ import annotations

import pytest

from slipway_contracts.backend import failure_line, parse_failure, scaling
from slipway_contracts.conditions import Reason
from slipway_contracts.serving import Replicas, Serving


@pytest.mark.parametrize(
    ("replicas", "asked", "expected"),
    [
        pytest.param(Replicas(), 1, {"num_replicas": 1}, id="one"),
        pytest.param(Replicas(), 3, {"num_replicas": 3}, id="the weight needs more"),
        pytest.param(Replicas(min=2, max=2), 1, {"num_replicas": 2}, id="fixed"),
        pytest.param(
            Replicas(min=1, max=4, target=8),
            2,
            {
                "autoscaling_config": {
                    "min_replicas": 2,
                    "max_replicas": 4,
                    "target_ongoing_requests": 8,
                }
            },
            id="autoscaled",
        ),
    ],
)
def test_scaling(replicas: Replicas, asked: int, expected: dict[str, object]) -> None:
    assert scaling(Serving(replicas=replicas), asked) == expected


def test_a_failure_is_found_in_any_text_around_it() -> None:
    line = failure_line(Reason.ARTIFACT_REFUSED, "model.bin is not\n  a file type")
    text = f"ray::X() (pid=1)\nslipway_engine.errors.Refused: {line}\n\nThe above exception…"
    assert parse_failure(text) == (Reason.ARTIFACT_REFUSED, "model.bin is not a file type")


def test_unknown_reasons_and_plain_text_are_none() -> None:
    assert parse_failure("slipway/Nonsense: x") is None
    assert parse_failure("ValueError: slipway is nice") is None
    assert parse_failure("") is None


def test_the_last_failure_counts() -> None:
    text = "slipway/StartupFailed: first\nslipway/DigestMismatch: second"
    assert parse_failure(text) == (Reason.DIGEST_MISMATCH, "second")
