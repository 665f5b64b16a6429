"""Artifacts through a real S3 server: whole or not at all, by digest or not at all."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from engine_artifact import EMPTY_SAFETENSORS, plain_artifact, write_manifest
from s3_server import S3Server
from stalling_door import stalling_door

from slipway_artifacts.access import Access, read_access
from slipway_artifacts.errors import Denied, Missing, NoRoom, Occupied, Unreachable
from slipway_artifacts.fetch import folder_in, obtain, obtain_outline, read_manifest
from slipway_artifacts.objects import PART_BYTES, RANGE_BYTES
from slipway_artifacts.publish import MARK, mark, publish
from slipway_contracts.artifact import ArtifactRef, ArtifactRefused, DigestMismatch

LARGE = RANGE_BYTES + PART_BYTES + 12_345
PUBLISH = """
import sys
from pathlib import Path
from slipway_artifacts.access import read_access
from slipway_artifacts.publish import publish
publish(Path(sys.argv[1]), sys.argv[2], read_access(), digest=sys.argv[3])
"""


def an_artifact(folder: Path, *, size: int = 1000) -> ArtifactRef:
    """A folder with weights of ``size`` bytes beyond their header."""
    plain_artifact(folder)
    weights = EMPTY_SAFETENSORS + os.urandom(size)
    (folder / "model.safetensors").write_bytes(weights)
    return write_manifest(folder)


def quick() -> Access:
    return read_access(patience=timedelta(seconds=2))


def published(tmp_path: Path, bucket: str, *, size: int = 1000) -> ArtifactRef:
    made = an_artifact(tmp_path / "made", size=size)
    return publish(tmp_path / "made", f"s3://{bucket}/a/v1", quick(), digest=made.digest)


def test_what_is_published_is_fetched_and_is_the_same(tmp_path, bucket):
    ref = published(tmp_path, bucket, size=LARGE)
    assert ref.uri == f"s3://{bucket}/a/v1"
    folder, manifest = obtain(ref, tmp_path / "cache", quick())
    assert folder == folder_in(tmp_path / "cache", ref.digest)
    assert manifest.digest() == ref.digest
    names = {path.name for path in (tmp_path / "made").iterdir()}
    assert {path.name for path in folder.iterdir()} == names
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "made" / name).read_bytes()
    # Only the lock lies beside it.
    assert [path.name for path in folder.parent.iterdir() if path != folder] == [
        f".{folder.name}.lock"
    ]


def test_publishing_again_changes_nothing(tmp_path, bucket, s3: S3Server):
    ref = published(tmp_path, bucket)
    before = s3.keys(bucket)
    again = publish(tmp_path / "made", ref.uri + "/", quick(), digest=ref.digest)
    assert again == ref
    assert (
        s3.keys(bucket)
        == before
        == {f"a/v1/{name}" for name in ("config.json", "manifest.json", "model.safetensors")}
    )


def test_the_mark_is_gone_when_the_artifact_is_there(tmp_path, bucket, s3: S3Server):
    mark(f"s3://{bucket}/a/v1", quick())
    assert s3.keys(bucket) == {f"a/v1/{MARK}"}
    published(tmp_path, bucket)
    assert f"a/v1/{MARK}" not in s3.keys(bucket)


def test_another_artifacts_address_is_never_written_to(tmp_path, bucket):
    ref = published(tmp_path, bucket)
    other = an_artifact(tmp_path / "other")
    with pytest.raises(Occupied, match=r"never overwritten: set spec\.retry\.id"):
        publish(tmp_path / "other", ref.uri, quick(), digest=other.digest)
    assert read_manifest(ref.uri, quick())[0] == ref.digest


def test_a_folder_that_changed_is_not_published(tmp_path, bucket, s3: S3Server):
    made = an_artifact(tmp_path / "made")
    (tmp_path / "made/config.json").write_text("{}")
    with pytest.raises(DigestMismatch):
        publish(tmp_path / "made", f"s3://{bucket}/a", quick(), digest=made.digest)
    assert s3.keys(bucket) == set()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_a_changed_byte_is_a_digest_mismatch(tmp_path, bucket, s3: S3Server, name):
    ref = published(tmp_path, bucket)
    s3.change_a_byte(bucket, f"a/v1/{name}")
    with pytest.raises(DigestMismatch, match=ref.uri):
        obtain(ref, tmp_path / "cache", quick())
    assert not folder_in(tmp_path / "cache", ref.digest).exists()


def test_a_shorter_object_is_a_digest_mismatch(tmp_path, bucket, s3: S3Server):
    ref = published(tmp_path, bucket)
    s3.write(bucket, "a/v1/model.safetensors", EMPTY_SAFETENSORS)
    with pytest.raises(DigestMismatch, match=r"model\.safetensors has 10 bytes"):
        obtain(ref, tmp_path / "cache", quick())


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/evil.json", "model.pt", "a//b.json"])
def test_a_manifest_that_names_what_may_not_be_is_refused(tmp_path, bucket, s3: S3Server, name):
    an_artifact(tmp_path / "made")
    text = (tmp_path / "made/manifest.json").read_text().replace("config.json", name)
    (tmp_path / "made/manifest.json").write_text(text)
    s3.upload(bucket, tmp_path / "made", "a")
    digest = read_manifest(f"s3://{bucket}/a", quick())[0]
    with pytest.raises(ArtifactRefused, match=r"plain path|may be served"):
        obtain(ArtifactRef(uri=f"s3://{bucket}/a", digest=digest), tmp_path / "cache", quick())


def test_the_outline_knows_everything_but_the_weights(tmp_path, bucket, s3: S3Server):
    ref = published(tmp_path, bucket, size=LARGE)
    folder, manifest = obtain_outline(ref, tmp_path / "cache", quick())
    assert {path.name for path in folder.iterdir()} == {"config.json", "manifest.json"}
    assert len(manifest.files) == 2
    # It is not taken for the artifact.
    assert "model.safetensors" in {
        path.name for path in obtain(ref, folder.parent, quick())[0].iterdir()
    }
    shutil.rmtree(tmp_path / "cache")
    s3.change_a_byte(bucket, "a/v1/config.json")
    with pytest.raises(DigestMismatch):
        obtain_outline(ref, tmp_path / "cache", quick())


def test_a_cache_that_the_disk_damaged_is_fetched_anew(tmp_path, bucket):
    ref = published(tmp_path, bucket)
    folder, _ = obtain(ref, tmp_path / "cache", quick())
    good = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(good[:-1] + b"x")
    assert obtain(ref, tmp_path / "cache", quick())[0] == folder
    assert (folder / "model.safetensors").read_bytes() == good


def test_a_good_cache_needs_no_store(tmp_path, bucket):
    ref = published(tmp_path, bucket)
    obtain(ref, tmp_path / "cache", quick())
    nowhere = replace(quick(), endpoint="http://127.0.0.1:1")
    assert obtain(ref, tmp_path / "cache", nowhere)[1].digest() == ref.digest


def test_several_at_once_fetch_one(tmp_path, bucket):
    ref = published(tmp_path, bucket, size=LARGE)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(obtain(ref, tmp_path / "c", quick())[0]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [folder_in(tmp_path / "c", ref.digest)] * 4


def test_what_is_not_there_is_named(tmp_path, bucket):
    ref = published(tmp_path, bucket)
    gone = ref.model_copy(update={"uri": f"s3://{bucket}/a/v2"})
    with pytest.raises(Missing, match=rf"s3://{bucket}/a/v2/manifest\.json .*correct the uri"):
        obtain(gone, tmp_path / "cache", quick())
    gone = ref.model_copy(update={"uri": "s3://no-such-bucket/a"})
    with pytest.raises(Missing, match="has no bucket no-such-bucket; make it"):
        obtain(gone, tmp_path / "cache", quick())


def test_wrong_keys_are_named(tmp_path, bucket, monkeypatch):
    ref = published(tmp_path, bucket)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(Denied, match=r"refuses the credentials.*correct the Secret"):
        obtain(ref, tmp_path / "cache", quick())
    with pytest.raises(Denied, match="refuses the credentials"):
        mark(ref.uri, quick())


def test_no_keys_are_named_before_anything_is_asked(tmp_path, bucket, monkeypatch):
    ref = published(tmp_path, bucket)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(Denied, match=r"no credentials.*artifacts\.s3\.existingSecret"):
        obtain(ref, tmp_path / "cache", quick())


def test_a_store_that_does_not_answer_is_named(tmp_path, bucket):
    ref = published(tmp_path, bucket)
    nowhere = replace(quick(), endpoint="http://127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"cannot be reached at http://127\.0\.0\.1:1 .*check"):
        obtain(ref, tmp_path / "cache", nowhere)


def test_a_store_that_comes_back_is_waited_for(tmp_path, bucket, s3: S3Server):
    ref = published(tmp_path, bucket)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    away = replace(quick(), endpoint=f"http://127.0.0.1:{port}", patience=timedelta(seconds=60))
    found: list[str] = []
    asking = threading.Thread(
        target=lambda: found.append(obtain(ref, tmp_path / "cache", away)[1].digest())
    )
    asking.start()
    asking.join(1)
    assert asking.is_alive()
    with stalling_door(s3.url, limit=1 << 30, port=port):
        asking.join(60)
    assert found == [ref.digest]


def test_too_little_room_is_named(tmp_path, bucket, monkeypatch):
    ref = published(tmp_path, bucket)
    used = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: used._replace(free=100))
    with pytest.raises(NoRoom, match="has 100; give the node or the volume more room"):
        obtain(ref, tmp_path / "cache", quick())


@pytest.mark.parametrize("limit", [2_000, PART_BYTES + 100_000, LARGE - 100_000])
def test_killed_in_the_middle_and_started_again(tmp_path, bucket, s3: S3Server, limit):
    made = an_artifact(tmp_path / "made", size=LARGE)
    uri = f"s3://{bucket}/a"
    command = [sys.executable, "-c", PUBLISH, str(tmp_path / "made"), uri, made.digest]
    with stalling_door(s3.url, limit=limit) as door:
        environment = {**os.environ, "AWS_ENDPOINT_URL": door.url}
        process = subprocess.Popen(command, env=environment)
        assert door.stalled.wait(120)
        process.kill()
        process.wait()
    ref = ArtifactRef(uri=uri, digest=made.digest)
    with pytest.raises(Missing):
        obtain(ref, tmp_path / "cache", quick())
    assert subprocess.run(command, check=False).returncode == 0
    folder, _ = obtain(ref, tmp_path / "cache", quick())
    assert (folder / "model.safetensors").stat().st_size > LARGE
