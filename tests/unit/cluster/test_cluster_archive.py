"""Scratch images without a builder."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from slipway_cluster import archive
from slipway_cluster.errors import ClusterError


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "binary").write_bytes(b"\x7fELF")
    target = tmp_path / "out" / "image.tar"
    archive.write(
        target, name="docker.io/x/y:1", binary=tmp_path / "binary", path="/run", user="1:1"
    )
    return target


def blob(tar: tarfile.TarFile, digest: str) -> bytes:
    member = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
    assert member is not None
    return member.read()


def test_every_blob_is_what_its_digest_says(made: Path) -> None:
    with tarfile.open(made) as tar:
        for name in tar.getnames():
            if name.startswith("blobs/"):
                content = blob(tar, name.rsplit("/", 1)[1])
                assert archive.digest(content).removeprefix("sha256:") == name.rsplit("/", 1)[1]


def test_the_image_runs_the_binary_as_the_user(made: Path) -> None:
    (named,) = archive.names(made)
    with tarfile.open(made) as tar:
        manifest = json.loads(blob(tar, named.digest))
        config = json.loads(blob(tar, manifest["config"]["digest"]))
    assert named.name == "docker.io/x/y:1"
    assert config["config"] == {"Entrypoint": ["/run"], "User": "1:1"}
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_equal_input_gives_equal_bytes(made: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    archive.write(
        again, name="docker.io/x/y:1", binary=tmp_path / "binary", path="/run", user="1:1"
    )
    assert again.read_bytes() == made.read_bytes()


def test_another_format_has_no_names(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w"):
        pass
    assert archive.names(tmp_path / "x.tar") == []


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no", "utf-8")
    with pytest.raises(ClusterError, match="not an image archive"):
        archive.names(tmp_path / "x.tar")
