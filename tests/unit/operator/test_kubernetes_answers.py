"""What the API server answers, as the operator's errors; merge patches; Events' bodies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_contracts.conditions import Reason
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Conflict, OperatorError, Terminal, Transient
from slipway_operator.platforms.kubernetes.answers import Missing, UnknownKind, error_of
from slipway_operator.platforms.kubernetes.api import selector
from slipway_operator.platforms.kubernetes.events import event_body
from slipway_operator.platforms.kubernetes.kinds import LEASES, MODELS, PODS
from slipway_operator.platforms.kubernetes.merge import difference


def answered(status: int, headers: dict[str, str] | None = None, **said: Any) -> OperatorError:
    return error_of(status, json.dumps(said).encode(), headers or {}, doing="PATCH /x")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(400, Terminal, id="bad-request"),
        pytest.param(401, Transient, id="token-expired"),
        pytest.param(403, Terminal, id="forbidden"),
        pytest.param(408, Transient, id="request-timeout"),
        pytest.param(409, Conflict, id="conflict"),
        pytest.param(410, Transient, id="gone"),
        pytest.param(413, Terminal, id="too-large"),
        pytest.param(422, Terminal, id="invalid"),
        pytest.param(429, Transient, id="too-many"),
        pytest.param(500, Transient, id="internal"),
        pytest.param(503, Transient, id="unavailable"),
        pytest.param(504, Transient, id="gateway-timeout"),
    ],
)
def test_each_status_has_its_kind(status: int, kind: type[OperatorError]) -> None:
    error = answered(status, message="because")
    assert type(error) is kind
    assert "PATCH /x: because" in str(error)


def test_a_missing_object_is_not_a_missing_kind() -> None:
    assert type(answered(404, details={"name": "v1"})) is Missing
    assert type(answered(404, details={})) is UnknownKind
    assert type(error_of(404, b"404 page not found", {}, doing="GET /x")) is UnknownKind


@pytest.mark.parametrize(
    ("headers", "details", "delay"),
    [
        pytest.param({"Retry-After": "7"}, {}, 7, id="header"),
        pytest.param({}, {"retryAfterSeconds": 5}, 5, id="body"),
        pytest.param({"Retry-After": "3600"}, {}, 30, id="within-reason"),
        pytest.param({"Retry-After": "Fri, 31 Dec 1999"}, {}, 1, id="a-date-is-not-read"),
        pytest.param({}, {}, 1, id="otherwise"),
    ],
)
def test_retry_after_is_respected(
    headers: dict[str, str], details: dict[str, Any], delay: float
) -> None:
    error = answered(429, headers, details=details)
    assert isinstance(error, Transient)
    assert error.delay == delay


def test_a_quota_is_a_matter_of_capacity_and_an_ending_namespace_passes() -> None:
    quota = answered(403, message="exceeded quota: gpus")
    assert isinstance(quota, Terminal)
    assert (quota.reason, "ResourceQuota" in str(quota)) == (Reason.INSUFFICIENT_CAPACITY, True)
    ending = answered(403, message="namespace x is being terminated")
    assert type(ending) is Transient
    refused = answered(403, message="cannot patch jobs")
    assert isinstance(refused, Terminal)
    assert "Role" in str(refused)


def test_a_proxy_that_answers_in_prose_is_quoted() -> None:
    error = error_of(502, b"<html>bad gateway</html>", {}, doing="GET /x")
    assert type(error) is Transient
    assert "bad gateway" in str(error)


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"a": 1}, {"a": 1}, {}, id="equal"),
        pytest.param({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}, id="changed-and-new"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="gone"),
        pytest.param(
            {"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {"a": {"y": None}}, id="gone-inside"
        ),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, id="lists-are-replaced"),
        pytest.param({"a": {"x": 1}}, {"a": 5}, {"a": 5}, id="another-type"),
        pytest.param({}, {"a": {}}, {"a": {}}, id="an-empty-object"),
    ],
)
def test_a_merge_patch_is_the_difference(
    old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert difference(old, new) == patch


def an_event(message: str = "said", uid: str = "u1", reason: Reason = Reason.ACCEPTED) -> str:
    body = event_body(
        EventRecord(kind="ModelVersion", name="v1", type="Normal", reason=reason, message=message),
        namespace="ns",
        uid=uid,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        identity="pod-0",
    )
    assert body["regarding"]["uid"] == uid
    assert len(body["note"]) <= 1000
    return str(body["metadata"]["name"])


def test_an_events_name_says_what_and_of_whom() -> None:
    assert an_event() == an_event()
    names = {an_event(), an_event("else"), an_event(uid="u2"), an_event(reason=Reason.PROMOTED)}
    assert len(names) == 4
    assert an_event("x" * 5000).startswith("v1.")


def test_addresses_and_selectors() -> None:
    assert PODS.path("ns", "p") == "/api/v1/namespaces/ns/pods/p"
    assert MODELS.path("ns") == "/apis/slipway.dev/v1alpha1/namespaces/ns/models"
    assert LEASES.api_version == "coordination.k8s.io/v1"
    assert selector({"b": "2", "a": ""}) == "a,b=2"
