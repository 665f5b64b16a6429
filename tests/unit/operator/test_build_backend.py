"""A desired backend as a RayService: both shapes, restricted, and what is never written again."""

from __future__ import annotations

import json

import pytest
from child_bodies import ANCHOR, ARTIFACT, CONFIG, a_backend, a_ray_service
from pod_security import house_violations, violations

from slipway_operator.errors import Terminal
from slipway_operator.platforms.kubernetes.build_backend import (
    build_backend,
    workers_per_replica,
)
from slipway_operator.platforms.kubernetes.quantities import mebibytes, millicores
from slipway_operator.platforms.kubernetes.serve_config import args_of, floor_of, rescaled

GPU = {"resources": {"gpu": 1, "cpu": 8, "memory": "48Gi"}}
GROWING = GPU | {"replicas": {"min": 1, "max": 4}}


def built(config=CONFIG, floor=1, **serving):
    return build_backend(a_backend(floor=floor, **serving), config=config, anchor=ANCHOR)


def cluster(**serving):
    return built(**serving)["spec"]["rayClusterConfig"]


def groups(spec):
    return [spec["headGroupSpec"], *spec.get("workerGroupSpecs", ())]


@pytest.mark.parametrize("serving", [{}, GPU, GROWING], ids=["cpu", "gpu", "gpu that grows"])
def test_every_pod_is_restricted(serving):
    for group in groups(cluster(**serving)):
        spec = group["template"]["spec"]
        assert violations(spec) == []
        assert house_violations(spec) == []
        artifacts = next(v for v in spec["volumes"] if v["name"] == "artifacts")
        assert artifacts["persistentVolumeClaim"]["readOnly"] is True
        shm = next(v for v in spec["volumes"] if v["name"] == "shm")
        assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}


def test_it_goes_with_the_release_and_never_makes_a_second_cluster():
    body = built()
    assert body["metadata"]["ownerReferences"][0]["uid"] == "uid-anchor"
    assert body["spec"]["upgradeStrategy"] == {"type": "None"}
    assert body["metadata"]["labels"]["slipway.dev/component"] == "backend"


def test_on_a_cpu_the_engine_runs_in_the_head():
    spec = cluster(replicas={"min": 1, "max": 2}, resources={"cpu": 2, "memory": "4Gi"})
    assert "workerGroupSpecs" not in spec
    head = spec["headGroupSpec"]
    container = head["template"]["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "5", "memory": "10240Mi"}
    assert container["resources"]["limits"] == {"memory": "10240Mi"}
    assert head["rayStartParams"]["num-cpus"] == "6"
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert (env["TORCHDYNAMO_DISABLE"], env["RAY_AUTH_MODE"]) == ("1", "disabled")
    assert {port["name"]: port["containerPort"] for port in container["ports"]}["serve"] == 8000
    assert built()["spec"]["excludeHeadPodFromServeSvc"] is False


def test_with_gpus_the_head_holds_none():
    spec = cluster(
        **GPU,
        replicas={"min": 2, "max": 2},
        nodeSelector={"gpu": "h100"},
        tolerations=[{"key": "team", "value": "a", "operator": "Equal"}],
    )
    head, (workers,) = spec["headGroupSpec"], spec["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert "nodeSelector" not in head["template"]["spec"]
    assert "nvidia.com/gpu" not in str(head)
    assert (workers["replicas"], workers["minReplicas"], workers["maxReplicas"]) == (2, 2, 2)
    pod = workers["template"]["spec"]
    assert pod["nodeSelector"] == {"gpu": "h100"}
    assert [entry["key"] for entry in pod["tolerations"]] == ["team", "nvidia.com/gpu"]
    container = pod["containers"][0]
    assert container["resources"]["limits"] == {"memory": "48Gi", "nvidia.com/gpu": "1"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/healthz"
    assert "TORCHDYNAMO_DISABLE" not in {entry["name"] for entry in container["env"]}
    assert built(**GPU)["spec"]["excludeHeadPodFromServeSvc"] is True
    assert "enableInTreeAutoscaling" not in spec


def test_only_a_cluster_that_grows_has_an_autoscaler_and_a_token():
    spec = cluster(**GROWING)
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["template"]["spec"]["automountServiceAccountToken"] is True
    (workers,) = spec["workerGroupSpecs"]
    assert (workers["minReplicas"], workers["maxReplicas"]) == (1, 4)
    for serving in ({}, GPU):
        for group in groups(cluster(**serving)):
            assert group["template"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("gpu", "parallel", "pods"), [(0, 1, 1), (1, 1, 1), (4, 4, 1), (2, 8, 4)])
def test_a_replica_may_span_pods(gpu, parallel, pods):
    serving = a_backend(
        resources={"gpu": gpu}, engine={"tensorParallelSize": parallel}, replicas={"min": 1}
    ).serving
    assert workers_per_replica(serving) == pods
    if gpu:
        spec = cluster(resources={"gpu": gpu}, engine={"tensorParallelSize": parallel})
        assert spec["workerGroupSpecs"][0]["replicas"] == pods


def test_streams_of_an_evicted_pod_may_end():
    spec = cluster(drainSeconds=45)["headGroupSpec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 75
    (_, _, script) = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert "i < 45" in script
    assert ":1F40 " in script


def test_what_serve_is_told_can_be_read_back():
    serving = {"replicas": {"min": 1, "max": 4, "target": 8}}
    body = a_ray_service(a_backend(floor=2, **serving))
    config = json.loads(body["spec"]["serveConfigV2"])
    assert config["proxy_location"] == "HeadOnly"
    assert config["http_options"]["host"] == "0.0.0.0"
    (app,) = config["applications"]
    assert (app["name"], app["route_prefix"]) == ("v1-abc", "/")
    assert app["import_path"] == "slipway_engine.llm:build"
    args = args_of(body)
    assert args is not None
    assert (args.model, args.version, args.artifact) == ("tiny", "v1", ARTIFACT)
    assert args.serving == a_backend(**serving).serving
    assert floor_of(body) == 2


def test_rescaling_touches_nothing_else():
    body = a_ray_service()
    text = body["spec"]["serveConfigV2"]
    assert rescaled(text, a_backend(drainSeconds=99)) == text
    wide = {"replicas": {"min": 1, "max": 3}}
    changed = json.loads(rescaled(text, a_backend(floor=2, **wide)))
    before = json.loads(text)
    (app,), (old,) = changed["applications"], before["applications"]
    assert app.pop("deployments") != old.pop("deployments")
    assert changed == before


def test_a_configuration_that_a_person_wrote_is_read_too():
    body = a_ray_service()
    body["spec"]["serveConfigV2"] = "applications:\n- {name: v1-abc, import_path: other:app}\n"
    assert args_of(body) is None
    assert floor_of(body) == 1
    body["spec"]["serveConfigV2"] = "applications: [{"
    assert args_of(body) is None


def test_quantities_add_up():
    assert (millicores("1"), millicores("250m"), millicores(0.5)) == (1000, 250, 500)
    assert (mebibytes("2Gi"), mebibytes("512Mi"), mebibytes("1G")) == (2048, 512, 954)
    with pytest.raises(Terminal, match="write it like"):
        mebibytes("much")
