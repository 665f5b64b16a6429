"""What the engine does before it loads a byte, where the artifact is in an object store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine_artifact import plain_artifact
from s3_server import S3Server

from slipway_artifacts.access import read_access
from slipway_artifacts.fetch import folder_in
from slipway_artifacts.publish import publish
from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.backend import BackendArgs
from slipway_contracts.conditions import Reason
from slipway_engine import verify
from slipway_engine.errors import Refused
from slipway_engine.verify import outlined, served_from, verified


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(verify, "STORE_PATIENCE", timedelta(seconds=2))


@pytest.fixture
def stored(tmp_path: Path, bucket: str) -> ArtifactRef:
    made = plain_artifact(tmp_path / "made")
    return publish(tmp_path / "made", f"s3://{bucket}/v1", read_access(), digest=made.digest)


def refusal(artifact: ArtifactRef, cache: Path | None, *, check=verified) -> tuple[Reason, str]:
    with pytest.raises(Refused) as caught:
        check(artifact, "text-generation", cache=str(cache) if cache else None)
    return caught.value.reason, str(caught.value)


def test_it_is_fetched_to_where_every_machine_serves_it_from(tmp_path, stored):
    cache = tmp_path / "cache"
    folder, manifest = verified(stored, "text-generation", cache=str(cache))
    args = BackendArgs(artifact=stored, artifact_cache=str(cache), model="m", version="v1")
    assert folder == served_from(args) == folder_in(cache, stored.digest)
    assert manifest.digest() == stored.digest
    outline, _ = outlined(stored, "text-generation", cache=str(cache))
    assert (outline / "config.json").exists()
    assert outline != folder


@pytest.mark.parametrize("check", [verified, outlined])
@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
def test_a_changed_byte_is_a_digest_mismatch(tmp_path, bucket, s3: S3Server, stored, name, check):
    s3.change_a_byte(bucket, f"v1/{name}")
    reason, message = refusal(stored, tmp_path / "cache", check=check)
    assert reason is Reason.DIGEST_MISMATCH
    assert stored.uri in message


def test_changed_weights_are_a_digest_mismatch(tmp_path, bucket, s3: S3Server, stored):
    s3.change_a_byte(bucket, "v1/model.safetensors")
    assert refusal(stored, tmp_path / "cache")[0] is Reason.DIGEST_MISMATCH


def test_what_cannot_be_fetched_is_a_failed_download(tmp_path, bucket, stored, monkeypatch):
    gone = stored.model_copy(update={"uri": f"s3://{bucket}/v2"})
    reason, message = refusal(gone, tmp_path / "cache")
    assert reason is Reason.DOWNLOAD_FAILED
    assert gone.uri in message
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    reason, message = refusal(stored, tmp_path / "cache")
    assert reason is Reason.DOWNLOAD_FAILED
    assert "check the endpoint" in message


def test_without_a_cache_nothing_is_fetched(stored):
    assert refusal(stored, None)[0] is Reason.ARTIFACT_REFUSED
