"""The cache: the newest of each object, whatever the order in which news arrives."""

from __future__ import annotations

import pytest

from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.census import models_by_ready, versions_by_phase
from slipway_operator.platforms.kubernetes.kinds import (
    JOBS,
    LABEL_COMPONENT,
    LABEL_MODEL,
    MODEL_VERSIONS,
    MODELS,
    PODS,
    Body,
)


def a_model(name: str = "tiny", version: int = 1, uid: str = "", **status: object) -> Body:
    metadata = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata | {"managedFields": ["many"]}, "status": status}


def a_version(name: str, model: str = "tiny", version: int = 1, **status: object) -> Body:
    return a_model(name, version, **status) | {"spec": {"model": model}}


def a_child(name: str, model: str | None = "tiny", version: int = 1) -> Body:
    body = a_model(name, version)
    body["metadata"]["labels"] = {LABEL_MODEL: model} if model else {}
    return body


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def told(cache: Cache) -> list[str]:
    names: list[str] = []
    cache.listen(names.append)
    return names


def test_an_older_body_does_not_replace_a_newer_one(cache: Cache, told: list[str]) -> None:
    assert cache.put(MODELS, a_model(version=10))
    assert not cache.put(MODELS, a_model(version=9))
    assert not cache.put(MODELS, a_model(version=10))
    assert cache.names(MODELS) == {"tiny": "10"}
    assert told == ["tiny"]


def test_what_was_seen_deleted_does_not_come_back(cache: Cache) -> None:
    cache.put(MODELS, a_model(version=1))
    assert cache.drop(MODELS, "tiny", uid="uid-tiny")
    assert not cache.put(MODELS, a_model(version=2))
    assert cache.put(MODELS, a_model(version=3, uid="another"))


def test_a_late_deletion_leaves_the_object_that_took_the_name(cache: Cache) -> None:
    cache.put(MODELS, a_model(version=5, uid="new"))
    assert not cache.drop(MODELS, "tiny", uid="old")
    assert cache.get(MODELS, "tiny") is not None


def test_a_deletion_before_its_creation_is_heard(cache: Cache) -> None:
    assert not cache.drop(MODELS, "tiny", uid="uid-tiny")
    assert not cache.put(MODELS, a_model(version=1))


def test_children_are_found_by_label_and_versions_by_their_spec(cache: Cache) -> None:
    cache.put(MODEL_VERSIONS, a_version("v2"))
    cache.put(MODEL_VERSIONS, a_version("v1"))
    cache.put(MODEL_VERSIONS, a_version("other", model="big"))
    cache.put(JOBS, a_child("run", model="gone"))
    cache.put(PODS, a_child("theirs", model=None))
    assert [b["metadata"]["name"] for b in cache.of_model(MODEL_VERSIONS, "tiny")] == ["v1", "v2"]
    assert [b["metadata"]["name"] for b in cache.of_model(JOBS, "gone")] == ["run"]
    assert cache.get(PODS, "theirs") is None
    assert cache.models() == {"tiny", "big", "gone"}


def test_a_child_that_changes_its_model_is_told_to_both(cache: Cache, told: list[str]) -> None:
    cache.put(JOBS, a_child("run", model="one"))
    cache.put(JOBS, a_child("run", model="two", version=2))
    assert cache.of_model(JOBS, "one") == []
    assert set(told[1:]) == {"one", "two"}
    cache.put(JOBS, a_child("run", model=None, version=3))
    assert cache.get(JOBS, "run") is None
    assert cache.models() == set()


def test_managed_fields_are_not_kept_and_the_giver_keeps_its_body(cache: Cache) -> None:
    body = a_model()
    cache.put(MODELS, body)
    kept = cache.get(MODELS, "tiny")
    assert kept is not None
    assert "managedFields" not in kept["metadata"]
    assert "managedFields" in body["metadata"]


def test_listening_ends(cache: Cache) -> None:
    names: list[str] = []
    stop = cache.listen(names.append)
    stop()
    cache.put(MODELS, a_model())
    assert names == []


def test_the_census_counts_phases_and_readiness(cache: Cache) -> None:
    cache.put(MODEL_VERSIONS, a_version("v1", phase="Serving"))
    cache.put(MODEL_VERSIONS, a_version("v2", phase="Serving"))
    cache.put(MODEL_VERSIONS, a_version("v3", phase="Knitting"))
    cache.put(MODELS, a_model("a", conditions=[{"type": "Ready", "status": "True"}]))
    cache.put(MODELS, a_model("b"))
    phases = versions_by_phase(cache)
    assert (phases["Serving"], phases["Pending"], phases["Canary"]) == (2, 1, 0)
    assert "Knitting" not in phases
    assert models_by_ready(cache) == {"True": 1, "False": 0, "Unknown": 1}


def a_pod(version: int, *, phase: str = "Pending", **rest: object) -> Body:
    body = a_child("pod", version=version)
    body["metadata"] |= {"finalizers": ["batch.kubernetes.io/job-tracking"] * (version % 2)}
    containers = [{"name": "run", "image": "i", "command": ["many"]}]
    return body | {"spec": {"containers": containers}, "status": {"phase": phase, **rest}}


def test_a_pod_that_says_nothing_new_is_kept_and_not_told(cache: Cache, told: list[str]) -> None:
    assert cache.put(PODS, a_pod(1))
    assert cache.put(PODS, a_pod(2, podIP="10.0.0.1"))
    assert (cache.names(PODS), told) == ({"pod": "2"}, ["tiny"])
    assert cache.put(PODS, a_pod(3, phase="Running"))
    assert told == ["tiny", "tiny"]
    (kept,) = cache.of_model(PODS, "tiny")
    assert kept["spec"] == {"containers": [{"name": "run"}]}


def test_the_bookkeeping_of_a_job_is_not_told(cache: Cache, told: list[str]) -> None:
    for version, status in enumerate(
        ({}, {"active": 1}, {"active": 1, "failed": 1}, {"failed": 1, "ready": 0}), start=1
    ):
        cache.put(JOBS, a_child("job", version=version) | {"status": status})
    assert told == ["tiny", "tiny"]
    assert cache.knows(JOBS, a_child("job", version=4))
    assert not cache.knows(JOBS, a_child("job", version=5))


def test_a_version_is_always_told(cache: Cache, told: list[str]) -> None:
    for version in (1, 2):
        cache.put(MODEL_VERSIONS, a_version("v1", version=version))
    assert told == ["tiny", "tiny"]


def test_names_by_component(cache: Cache) -> None:
    job, other = a_child("job"), a_child("other")
    job["metadata"]["labels"][LABEL_COMPONENT] = "run"
    cache.put(JOBS, job)
    cache.put(JOBS, other)
    assert cache.names_of(JOBS, "tiny", component="run") == {"job"}
    assert cache.names_of(JOBS, "gone", component="run") == set()
