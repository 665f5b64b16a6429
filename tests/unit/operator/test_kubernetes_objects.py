"""Objects, events and the relist over an API server in memory: what a real one does too rarely."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from api_server import MemoryApi

from slipway_contracts.base import utc
from slipway_contracts.conditions import Phase, Reason
from slipway_contracts.model import Model, ModelStatus
from slipway_contracts.model_version import ModelVersion, ModelVersionStatus, Outcome
from slipway_operator.core.decision import EventRecord
from slipway_operator.errors import Conflict, Terminal, Transient
from slipway_operator.platforms.kubernetes.cache import Cache
from slipway_operator.platforms.kubernetes.events import KubernetesEvents
from slipway_operator.platforms.kubernetes.kinds import (
    EVENTS,
    JOBS,
    LABEL_MODEL,
    LABEL_VERSION,
    MODEL_VERSIONS,
    MODELS,
    RAY_SERVICES,
    WATCHED,
    Body,
    Kind,
)
from slipway_operator.platforms.kubernetes.objects import KubernetesObjects
from slipway_operator.platforms.kubernetes.relist import SINGLY, Relist


class Cluster:
    def __init__(self) -> None:
        self.api, self.cache = MemoryApi(), Cache()
        self.ended: list[Outcome] = []
        self.objects = KubernetesObjects(self.api, self.cache, ended=self.ended.append)
        self.events = KubernetesEvents(self.api, self.cache)
        self.relist = Relist(self.api, self.cache)

    def put(self, kind: Kind, name: str, labels: dict[str, str] | None = None, **rest: Any) -> Body:
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        metadata = {"name": name, "namespace": "slipway", "labels": labels or {}}
        body = self.api.put(kind, head | {"metadata": metadata} | rest)
        self.cache.put(kind, body)
        return body

    def version(self, name: str, **spec: Any) -> Body:
        return self.put(
            MODEL_VERSIONS, name, spec={"model": "tiny", "source": {"random": {}}} | spec
        )

    async def model(self) -> Model:
        model, _ = await self.objects.read("tiny")
        assert model is not None
        return model

    async def one(self) -> ModelVersion:
        _, (version,) = await self.objects.read("tiny")
        return version


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def verbs(cluster: Cluster) -> list[str]:
    return [verb for verb, _, _ in cluster.api.requests]


async def test_reading_asks_nobody_and_validates_once(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={})
    assert await cluster.model() is await cluster.model()
    assert cluster.api.requests == []


async def test_a_status_whose_answer_was_lost_is_found_written(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={})
    cluster.api.lose_answers = 1
    await cluster.objects.write_model_status(await cluster.model(), ModelStatus(stable="v1"))
    assert (await cluster.model()).status.stable == "v1"
    assert verbs(cluster) == ["patch_status", "get"]


async def test_a_status_that_was_not_written_is_transient(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={})
    model = await cluster.model()
    cluster.api.down = True
    with pytest.raises(Transient):
        await cluster.objects.write_model_status(model, ModelStatus(stable="v1"))
    cluster.api.down = False
    await cluster.objects.write_model_status(model, ModelStatus(stable="v1"))


async def test_a_stale_reader_does_not_bother_the_server(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={})
    model = await cluster.model()
    cluster.put(MODELS, "tiny", spec={"default": True})
    with pytest.raises(Conflict):
        await cluster.objects.write_model_status(model, ModelStatus(stable="v1"))
    assert cluster.api.requests == []


async def test_fields_that_go_are_taken_away(cluster: Cluster) -> None:
    cluster.version("v1")
    await cluster.objects.write_version_status(
        await cluster.one(), ModelVersionStatus(capacity_wait_since=utc(1), backend="b")
    )
    await cluster.objects.write_version_status(await cluster.one(), ModelVersionStatus(backend="b"))
    assert (await cluster.one()).status.capacity_wait_since is None


async def test_the_end_of_an_attempt_is_counted_once(cluster: Cluster) -> None:
    cluster.version("v1")
    end = Outcome(phase=Phase.FAILED, reason=Reason.OOM_KILLED, at=utc(1))
    ended = ModelVersionStatus(phase=Phase.FAILED, outcome=end)
    await cluster.objects.write_version_status(await cluster.one(), ended)
    more = ended.model_copy(update={"backend": "b"})
    await cluster.objects.write_version_status(await cluster.one(), more)
    assert cluster.ended == [end]


async def test_a_version_that_is_not_valid_does_not_stop_the_others(cluster: Cluster) -> None:
    cluster.version("v1")
    cluster.version("v2", desiredState="Knitting")
    assert (await cluster.one()).metadata.name == "v1"
    assert (await cluster.one()).metadata.name == "v1"
    (condition,) = cluster.api.objects[MODEL_VERSIONS]["v2"]["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Accepted", "False")
    assert condition["reason"] == "Invalid"
    assert "spec.desiredState" in condition["message"]
    assert verbs(cluster) == ["patch_status"]


async def test_a_version_that_is_not_valid_but_runs_is_not_drained(cluster: Cluster) -> None:
    cluster.version("v1", desiredState="Knitting")
    cluster.put(RAY_SERVICES, "v1-x", labels={LABEL_MODEL: "tiny", LABEL_VERSION: "v1"})
    with pytest.raises(Terminal, match="v1 is not valid"):
        await cluster.objects.read("tiny")


async def test_a_model_that_is_not_valid_says_so(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={"task": "knitting"})
    for _ in range(2):
        with pytest.raises(Terminal, match="task"):
            await cluster.objects.read("tiny")
    (condition,) = cluster.api.objects[MODELS]["tiny"]["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Stalled", "True")
    assert verbs(cluster) == ["patch_status"]


async def test_an_older_crd_that_drops_fields_is_told_once(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.put(MODELS, "tiny", spec={})
    put = cluster.api.put

    def pruned(kind: Kind, body: Any) -> Body:
        body["status"].pop("stable", None)
        return put(kind, body)

    monkeypatch.setattr(cluster.api, "put", pruned)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            model = await cluster.model()
            await cluster.objects.write_model_status(model, ModelStatus(stable="v1"))
    assert [record.getMessage() for record in caplog.records] == [
        "Model: the CRD drops status fields stable; apply this version's CRDs (docs: upgrade)"
    ]


def an_event(message: str = "said") -> EventRecord:
    return EventRecord(
        kind="Model", name="tiny", type="Warning", reason=Reason.INVALID, message=message
    )


async def test_a_repeated_event_is_counted(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={})
    for _ in range(5):
        await cluster.events.append("slipway", [an_event()])
    await cluster.events.append("slipway", [an_event("else")])
    stored = [*cluster.api.objects[EVENTS].values()]
    assert [event.get("series", {}).get("count") for event in stored] == [5, None]


async def test_an_event_from_before_a_restart_is_counted_on_and_an_expired_one_told_anew(
    cluster: Cluster,
) -> None:
    await cluster.events.append("slipway", [an_event()])
    again = KubernetesEvents(cluster.api, cluster.cache)
    await again.append("slipway", [an_event()])
    (stored,) = cluster.api.objects[EVENTS].values()
    assert stored["series"]["count"] == 2
    cluster.api.objects[EVENTS].clear()
    await again.append("slipway", [an_event()])
    assert len(cluster.api.objects[EVENTS]) == 1


async def test_what_is_on_its_way_is_waited_for_and_not_fetched(cluster: Cluster) -> None:
    late = cluster.api.put(MODELS, {"metadata": {"name": "late"}, "spec": {}})
    comparing = asyncio.create_task(cluster.relist.compare(settle=0.05))
    while verbs(cluster).count("versions") < len(WATCHED):
        await asyncio.sleep(0)
    assert cluster.cache.put(MODELS, late)
    assert await comparing == set()
    assert "get" not in verbs(cluster)


async def test_a_relist_finds_what_no_watch_told_and_drops_ghosts(cluster: Cluster) -> None:
    cluster.put(MODELS, "tiny", spec={})
    cluster.put(MODELS, "gone", spec={})
    assert await cluster.relist.compare() == set()
    del cluster.api.objects[MODELS]["gone"]
    cluster.api.put(MODELS, {"metadata": {"name": "new"}})
    cluster.api.put(MODELS, {"metadata": {"name": "tiny"}, "spec": {"default": True}})
    missed = await cluster.relist.compare()
    assert missed == {(MODELS, "gone"), (MODELS, "new"), (MODELS, "tiny")}
    assert set(cluster.cache.names(MODELS)) == {"tiny", "new"}


async def test_many_changes_are_one_list(cluster: Cluster) -> None:
    for number in range(SINGLY + 1):
        cluster.api.put(MODELS, {"metadata": {"name": f"m{number}"}})
    assert len(await cluster.relist.compare()) == SINGLY + 1
    assert verbs(cluster).count("list") == 1
    assert "get" not in verbs(cluster)


async def test_a_kind_that_is_not_installed_yet_is_waited_for(cluster: Cluster) -> None:
    cluster.api.unknown = {RAY_SERVICES}
    await cluster.relist.fill()
    assert cluster.relist.absent == {RAY_SERVICES}
    cluster.api.unknown = set()
    await cluster.relist.compare()
    assert cluster.relist.absent == frozenset()
    cluster.api.unknown = {JOBS}
    with pytest.raises(Transient):
        await cluster.relist.fill()
