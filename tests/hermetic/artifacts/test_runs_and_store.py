"""Runs that publish to an object store and read from one: the same verbs, another place."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from engine_artifact import plain_artifact
from s3_server import S3Server
from stalling_door import stalling_door
from training_runs import a_train_run, an_import, carry_out, start

from slipway_contracts.artifact import MANIFEST_NAME
from slipway_contracts.run import EvaluateRun, RunResult
from slipway_training.errors import ConfigInvalid, SourceRefused, StoreFailed

MICRO = {"architecture": "micro-llama"}


def a_random_run(folder: Path, bucket: str, *, seed: int = 0):
    spec = an_import(folder, random=MICRO | {"seed": seed})
    return spec.model_copy(update={"publish_to": f"s3://{bucket}/artifacts/v1"})


@pytest.fixture
def stored(tmp_path, bucket) -> RunResult:
    """A version with random weights, in the store."""
    return carry_out(a_random_run(tmp_path / "made", bucket), tmp_path / "made")


def test_a_run_publishes_and_keeps_no_folder(tmp_path, bucket, s3: S3Server, stored):
    assert stored.artifact.uri == f"s3://{bucket}/artifacts/v1"
    assert f"artifacts/v1/{MANIFEST_NAME}" in s3.keys(bucket)
    assert not (tmp_path / "made/artifact").exists()
    spec = a_random_run(tmp_path / "made", bucket)
    assert carry_out(spec, tmp_path / "made") == stored
    # Its work is lost: what is whole in the store is its result.
    shutil.rmtree(tmp_path / "made")
    again = carry_out(spec, tmp_path / "made")
    assert (again.artifact, again.lineage) == (stored.artifact, stored.lineage)


def test_a_run_killed_while_it_publishes_sends_the_rest(tmp_path, bucket, s3: S3Server):
    folder, spec = tmp_path / "run", a_random_run(tmp_path / "run", bucket)
    with stalling_door(s3.url, limit=30_000) as door:
        process = start(spec, folder, environment={"AWS_ENDPOINT_URL": door.url})
        assert door.stalled.wait(200), (folder / "log").read_text()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert f"artifacts/v1/{MANIFEST_NAME}" not in s3.keys(bucket)
    made = (folder / "artifact" / MANIFEST_NAME).read_bytes()
    result = carry_out(spec, folder)
    # The artifact that was made is the one that is sent: nothing was made twice.
    assert s3.read(bucket, f"artifacts/v1/{MANIFEST_NAME}") == made
    assert not (folder / "artifact").exists()
    copy = an_import(tmp_path / "copy", artifact=result.artifact.wire())
    assert carry_out(copy, tmp_path / "copy").artifact.digest == result.artifact.digest


def test_an_address_that_cannot_be_written_costs_no_work(tmp_path, bucket, monkeypatch):
    spec = a_random_run(tmp_path, "no-such-bucket")
    with pytest.raises(ConfigInvalid, match="has no bucket no-such-bucket"):
        carry_out(spec, tmp_path)
    assert not (tmp_path / "artifact").exists()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ConfigInvalid, match="no credentials"):
        carry_out(a_random_run(tmp_path / "b", bucket), tmp_path / "b")


def test_a_store_that_refuses_at_the_end_costs_no_work_either(tmp_path, bucket, s3: S3Server):
    """The address is taken by another artifact between the mark and the manifest."""
    import slipway_training.run as module

    spec = a_random_run(tmp_path, bucket)
    made = module._dispatch(spec, tmp_path / "work", None, dry_run=False, report=None)
    plain_artifact(tmp_path / "other")
    s3.upload(bucket, tmp_path / "other", "artifacts/v1")
    with pytest.raises(StoreFailed, match=r"made, but not published.*never overwritten"):
        carry_out(spec, tmp_path)
    for key in s3.keys(bucket):
        s3.delete(bucket, key)
    assert carry_out(spec, tmp_path).artifact.digest == made.artifact.digest


def test_a_version_is_evaluated_from_the_store(tmp_path, bucket, s3: S3Server, stored):
    target = {"version": "v1", "artifact": stored.artifact.wire()}
    suite = {"name": "h", "kind": "heldout", "sources": ["bundled:devil"], "maxSamples": 2}
    spec = EvaluateRun.model_validate({"candidate": target, "suites": [suite]})
    report = carry_out(spec, tmp_path / "evaluation").report
    assert report.suites[0].candidate["loss"].value > 0
    assert not (tmp_path / "evaluation/work/fetched").exists()
    s3.change_a_byte(bucket, "artifacts/v1/model.safetensors")
    with pytest.raises(SourceRefused, match=r"model\.safetensors in s3://.* changed"):
        carry_out(spec, tmp_path / "again")


def test_training_goes_on_from_the_store(tmp_path, bucket, stored):
    run = a_train_run(tmp_path, base=stored.artifact, method="full", maxSteps=2)
    spec = run.model_copy(update={"publish_to": f"s3://{bucket}/artifacts/v2"})
    result = carry_out(spec, tmp_path)
    assert result.artifact.uri == f"s3://{bucket}/artifacts/v2"
    assert result.lineage.parent == stored.artifact.digest


def test_an_artifact_of_the_store_is_imported_by_its_digest(tmp_path, stored):
    wire = stored.artifact.wire()
    result = carry_out(an_import(tmp_path / "a", artifact=wire), tmp_path / "a")
    assert result.artifact.digest == stored.artifact.digest
    with pytest.raises(ConfigInvalid, match=f"the artifact there now is {wire['digest']}"):
        carry_out(an_import(tmp_path / "b", artifact={"uri": wire["uri"]}), tmp_path / "b")
    other = wire | {"digest": "sha256:" + "0" * 64}
    with pytest.raises(SourceRefused, match="has digest sha256:"):
        carry_out(an_import(tmp_path / "c", artifact=other), tmp_path / "c")


def test_a_folder_of_the_store_is_imported_and_checked(tmp_path, bucket, s3: S3Server):
    made = carry_out(an_import(tmp_path / "hub", random=MICRO), tmp_path / "hub")
    (tmp_path / "hub/artifact" / MANIFEST_NAME).unlink()
    s3.upload(bucket, tmp_path / "hub/artifact", "hub/model")
    s3.write(bucket, "hub/model/README.md", b"# A model")
    s3.write(bucket, "hub/model-2/model.bin", b"a neighbour")
    source = {"uri": f"s3://{bucket}/hub/model"}
    result = carry_out(an_import(tmp_path / "a", artifact=source), tmp_path / "a")
    assert result.artifact.digest != made.artifact.digest
    with pytest.raises(SourceRefused, match=r"artifact\.digest is sha256:0"):
        wrong = source | {"digest": "sha256:" + "0" * 64}
        carry_out(an_import(tmp_path / "b", artifact=wrong), tmp_path / "b")
    s3.write(bucket, "hub/model/pytorch_model.bin", b"pickle")
    with pytest.raises(SourceRefused, match=r"pytorch_model\.bin is not a file type"):
        carry_out(an_import(tmp_path / "c", artifact=source), tmp_path / "c")
    assert not (tmp_path / "c/work/download").exists()


def test_nothing_at_the_address_is_said(tmp_path, bucket):
    with pytest.raises(ConfigInvalid, match="nothing is there; correct the uri"):
        source = {"uri": f"s3://{bucket}/no/model"}
        carry_out(an_import(tmp_path, artifact=source), tmp_path)
