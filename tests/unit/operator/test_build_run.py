"""A desired run as Kubernetes objects: what is asked of the cluster, and that it is restricted."""

from __future__ import annotations

import json

import pytest
from child_bodies import CONFIG, OWNER, a_training_run
from pod_security import house_violations, violations

from slipway_contracts.model_version import RandomSource
from slipway_operator.core.decision import DesiredRun, ImportRequest
from slipway_operator.platforms.kubernetes.build_run import (
    build_job,
    build_record,
    build_service,
)

IMPORT = DesiredRun(name="v1-import", version="v1", request=ImportRequest(source=RandomSource()))


def job(run=IMPORT, config=CONFIG):
    return build_job(run, model="tiny", config=config, owner=OWNER)


def pod(run=IMPORT, config=CONFIG):
    return job(run, config)["spec"]["template"]["spec"]


def container(run=IMPORT, config=CONFIG):
    return pod(run, config)["containers"][0]


def env(run):
    return {entry["name"]: entry.get("value") for entry in container(run)["env"]}


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(IMPORT, id="import"),
        pytest.param(a_training_run(), id="training"),
        pytest.param(a_training_run(resources={"gpu": 2, "cpu": 4}, nodes=2), id="several GPUs"),
    ],
)
def test_every_pod_is_restricted_and_has_no_token(run):
    spec = pod(run)
    assert violations(spec) == []
    assert house_violations(spec) == []
    assert spec["automountServiceAccountToken"] is False
    assert spec["imagePullSecrets"] == [{"name": "reg"}]


def test_the_record_holds_the_frozen_spec():
    record = build_record(a_training_run(), model="tiny", config=CONFIG, owner=OWNER)
    spec = json.loads(record["data"]["spec.json"])
    assert spec["verb"] == "train"
    assert spec["artifactDir"] == "/var/lib/slipway/artifacts/v1-train"
    assert record["metadata"]["ownerReferences"][0]["uid"] == "uid-v1"
    assert record["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "slipway",
        "app.kubernetes.io/part-of": "slipway",
        "slipway.dev/model": "tiny",
        "slipway.dev/version": "v1",
        "slipway.dev/component": "run",
    }


def test_what_the_pod_runs_and_where_it_works():
    made = container()
    assert made["command"] == ["python", "-m", "slipway_training"]
    assert " ".join(made["args"]) == (
        "run --spec /etc/slipway/run/spec.json --work /var/lib/slipway/runs/v1-import "
        "--report stdout --result-file /dev/termination-log --threads 1"
    )
    mounts = {mount["mountPath"] for mount in made["volumeMounts"]}
    assert mounts == {"/etc/slipway/run", "/var/lib/slipway", "/tmp"}
    assert pod()["terminationGracePeriodSeconds"] == 60
    assert pod()["restartPolicy"] == "Never"


def test_labels_of_job_and_pods_are_the_same():
    made = job()
    labels = made["metadata"]["labels"]
    assert made["spec"]["template"]["metadata"]["labels"] == labels
    assert labels["slipway.dev/version"] == "v1"


def test_an_eviction_and_a_checkpoint_are_no_failures_and_a_wrong_config_is_the_end():
    spec = job()["spec"]
    assert spec["backoffLimit"] == 2
    rules = [
        (rule["action"], rule.get("onExitCodes", {}).get("values"))
        for rule in spec["podFailurePolicy"]["rules"]
    ]
    assert rules == [("FailJob", [78]), ("Ignore", None), ("Ignore", [75])]
    assert spec["podReplacementPolicy"] == "Failed"


def test_a_training_asks_for_what_it_needs():
    needs = {"resources": {"cpu": 4, "memory": "9Gi"}}
    made = container(a_training_run(**needs))
    assert made["resources"]["requests"] == {"cpu": "4", "memory": "9Gi"}
    assert made["resources"]["limits"] == {"memory": "9Gi"}
    assert env(a_training_run(**needs))["OMP_NUM_THREADS"] == "4"
    shared = CONFIG.model_copy(update={"cpu_overcommit": 8.0})
    assert container(a_training_run(**needs), shared)["resources"]["requests"]["cpu"] == "500m"


def test_gpus_bring_their_toleration_and_shared_memory():
    run = a_training_run(resources={"gpu": 2, "cpu": 4})
    assert container(run)["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert [entry["key"] for entry in pod(run)["tolerations"]] == ["nvidia.com/gpu"]
    assert any(v.get("emptyDir", {}).get("medium") == "Memory" for v in pod(run)["volumes"])
    assert "tolerations" not in pod()


def test_several_nodes_are_an_indexed_job_that_meets_at_the_first():
    run = a_training_run(nodes=3)
    spec = job(run)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimit"] == 6
    assert pod(run)["subdomain"] == "v1-train"
    assert env(run)["PET_MASTER_ADDR"] == "v1-train-0.v1-train"
    assert env(run)["PET_NNODES"] == "3"
    service = build_service(run, model="tiny", config=CONFIG, owner=OWNER)
    assert service["metadata"]["name"] == "v1-train"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert "PET_NNODES" not in env(a_training_run())


def test_a_queue_suspends_the_job_until_it_is_admitted():
    made = job(a_training_run(queue="team"))
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert made["spec"]["suspend"] is True
    assert "suspend" not in job()["spec"]


@pytest.mark.parametrize(
    ("run", "seconds"),
    [
        pytest.param(IMPORT, 21_600, id="an import that hangs"),
        pytest.param(a_training_run(), None, id="a training of any length"),
        pytest.param(a_training_run(wallClockLimit="1h"), 25_200, id="a training with a limit"),
    ],
)
def test_what_hangs_ends(run, seconds):
    assert job(run)["spec"].get("activeDeadlineSeconds") == seconds


def test_the_release_s_settings_win():
    runs = {
        "env": [{"name": "HF_HUB_OFFLINE", "value": "0"}, {"name": "X", "value": "1"}],
        "nodeSelector": {"pool": "train"},
        "priorityClass": "low",
        "tolerations": [{"key": "spot", "operator": "Exists"}],
    }
    config = CONFIG.model_validate(CONFIG.wire() | {"runs": runs})
    made = pod(config=config)
    variables = {entry["name"]: entry["value"] for entry in made["containers"][0]["env"]}
    assert (variables["HF_HUB_OFFLINE"], variables["X"]) == ("0", "1")
    assert made["nodeSelector"] == {"pool": "train"}
    assert made["priorityClassName"] == "low"
    assert made["tolerations"] == [{"key": "spot", "operator": "Exists"}]
