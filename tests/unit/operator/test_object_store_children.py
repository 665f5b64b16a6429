"""Children of a release with an object store: what they are told, and what they mount."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from child_bodies import ANCHOR, CONFIG, OWNER, a_backend, a_training_run
from pod_security import house_violations, violations
from pydantic import ValidationError

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.run import TrainRun
from slipway_operator.core.decision import EvaluateRequest, ImportRequest
from slipway_operator.platforms.kubernetes.build_backend import build_backend
from slipway_operator.platforms.kubernetes.build_run import SPEC_KEY, build_job, build_record
from slipway_operator.platforms.kubernetes.serve_config import args_of, rescaled
from slipway_operator.platforms.kubernetes.settings import Artifacts, ObjectStore
from slipway_operator.platforms.run_spec import run_spec

STORE = ObjectStore(
    uri="s3://models/team",
    endpoint="https://minio.example",
    secret="keys",
    ca_secret="ca",
    cache_limit="60Gi",
)
WITH_STORE = CONFIG.model_copy(update={"artifacts": Artifacts(s3=STORE)})
STORED = ArtifactRef(uri="s3://models/team/v1-train", digest="sha256:" + "0" * 64)
GPU = {"resources": {"gpu": 1, "cpu": 8, "memory": "48Gi"}}


def variables(container):
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def job_pod(config):
    job = build_job(a_training_run(), model="tiny", config=config, owner=OWNER)
    return job["spec"]["template"]["spec"]


def pods(config, artifact, **serving):
    backend = a_backend(**serving)
    backend = type(backend)(
        name=backend.name,
        version=backend.version,
        model=backend.model,
        artifact=artifact,
        serving=backend.serving,
        replicas=backend.replicas,
    )
    body = build_backend(backend, config=config, anchor=ANCHOR)
    spec = body["spec"]["rayClusterConfig"]
    groups = [spec["headGroupSpec"], *spec.get("workerGroupSpecs", ())]
    return backend, body, [group["template"]["spec"] for group in groups]


def test_a_run_is_told_where_its_artifact_goes():
    record = build_record(a_training_run(), model="tiny", config=WITH_STORE, owner=OWNER)
    spec = TrainRun.model_validate(json.loads(record["data"][SPEC_KEY]))
    assert spec.publish_to == "s3://models/team/v1-train"
    assert spec.artifact_dir == "/var/lib/slipway/runs/v1-train/artifact"


def test_without_a_store_nothing_is_said_of_one():
    record = build_record(a_training_run(), model="tiny", config=CONFIG, owner=OWNER)
    told = json.loads(record["data"][SPEC_KEY])
    assert "publishTo" not in told
    assert told["artifactDir"] == "/var/lib/slipway/artifacts/v1-train"
    assert not [name for name in variables(job_pod(CONFIG)["containers"][0]) if "AWS" in name]


def test_imports_publish_and_evaluations_do_not():
    from slipway_contracts.model_version import RandomSource

    run = a_training_run()
    imported = type(run)(
        name="v1-import",
        version="v1",
        request=ImportRequest(source=RandomSource(), base=None),
        backoff_limit=0,
    )
    spec = run_spec(imported, Path("/home"), model="m", store="s3://models")
    assert spec.publish_to == "s3://models/v1-import"
    evaluation = type(run)(
        name="v1-evaluate",
        version="v1",
        request=EvaluateRequest(artifact=STORED, suites=()),
        backoff_limit=0,
    )
    assert "publishTo" not in run_spec(evaluation, Path("/"), model="m", store="s3://m").wire()


def test_a_runs_pod_has_the_keys_by_reference():
    pod = job_pod(WITH_STORE)
    container = pod["containers"][0]
    told = variables(container)
    assert told["AWS_ENDPOINT_URL"] == "https://minio.example"
    assert told["AWS_SECRET_ACCESS_KEY"] == {
        "secretKeyRef": {"name": "keys", "key": "secretAccessKey"}
    }
    folder, _, name = told["AWS_CA_BUNDLE"].rpartition("/")
    mount = next(m for m in container["volumeMounts"] if m["mountPath"] == folder)
    volume = next(v for v in pod["volumes"] if v["name"] == mount["name"])
    assert volume["secret"] == {"secretName": "ca", "items": [{"key": "ca.crt", "path": name}]}
    assert (violations(pod), house_violations(pod)) == ([], [])


def test_the_releases_own_variables_win():
    given = CONFIG.runs.model_copy(update={"env": ({"name": "AWS_REGION", "value": "x"},)})
    config = WITH_STORE.model_copy(update={"runs": given})
    assert variables(job_pod(config)["containers"][0])["AWS_REGION"] == "x"


@pytest.mark.parametrize("serving", [{}, GPU], ids=["cpu", "gpu"])
def test_engines_fetch_into_a_cache_of_their_own(serving):
    backend, body, specs = pods(WITH_STORE, STORED, **serving)
    for spec in specs:
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["cache"]["emptyDir"] == {"sizeLimit": "60Gi"}
        assert "artifacts" not in volumes
        container = spec["containers"][0]
        told = variables(container)
        assert told["AWS_ACCESS_KEY_ID"] == {"secretKeyRef": {"name": "keys", "key": "accessKeyId"}}
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts["cache"] == args_of(body).artifact_cache
        assert (violations(spec), house_violations(spec)) == ([], [])
    assert args_of(body).artifact == STORED
    text = body["spec"]["serveConfigV2"]
    assert rescaled(text, backend) == text


def test_versions_from_before_the_store_serve_from_the_volume():
    _, body, specs = pods(WITH_STORE, a_backend().artifact)
    volumes = {volume["name"] for spec in specs for volume in spec["volumes"]}
    assert "artifacts" in volumes
    assert "cache" not in volumes
    assert args_of(body).artifact_cache is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"uri": "s3://models"}, "secret"),
        ({"endpoint": "http://minio:9000"}, "secret"),
        ({"uri": "s3://models/", "secret": "k"}, "uri"),
        ({"uri": "gs://models", "secret": "k"}, "uri"),
        ({"endpoint": "minio:9000", "secret": "k"}, "endpoint"),
        ({"secretKey": "abc"}, "secretKey"),
    ],
)
def test_a_store_that_could_not_work_is_refused(given, named):
    with pytest.raises(ValidationError, match=named):
        ObjectStore.model_validate(given)
