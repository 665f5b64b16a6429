"""Archives put together from a storage like buildah's: the bytes that the manifest names."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from slipway_images.errors import StoreError
from slipway_images.store import Store

REFERENCE = "docker.io/slipway/gateway:dev"
BIG = bytes(range(256)) * 9000


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def layer_tar(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return sink.getvalue()


def split(tar: bytes, files: dict[str, bytes]) -> bytes:
    """tar-split's record: bytes between files as they are, files by name."""
    entries: list[dict[str, object]] = []
    at = 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            head = tar[at : member.offset_data]
            entries.append({"type": 2, "payload": base64.b64encode(head).decode()})
            entry: dict[str, object] = {"type": 1, "name": member.name, "size": member.size}
            if not member.name.isascii():
                entry["name_raw"] = base64.b64encode(member.name.encode()).decode()
            entries.append(entry)
            at = member.offset_data + member.size
    entries.append({"type": 2, "payload": base64.b64encode(tar[at:]).decode()})
    return gzip.compress("".join(f"{json.dumps(entry)}\n" for entry in entries).encode())


class FakeBuildah:
    """Answers ``images`` and ``inspect`` for one image."""

    def __init__(self, manifest: bytes, config: bytes) -> None:
        self._found = {"Manifest": manifest.decode(), "Config": config.decode()}

    def image_id(self, reference: str) -> str:
        return "1" if reference == REFERENCE else ""

    def call(self, *words: str) -> str:
        assert words == ("inspect", "--type=image", REFERENCE)
        return json.dumps(self._found)


@pytest.fixture
def layers() -> list[bytes]:
    return []


@pytest.fixture
def store(tmp_path: Path, layers: list[bytes]) -> Store:
    entries = []
    contents = [{"etc/a": b"1", "etc/empty": b"", "big": BIG}, {"opt/é": b"code"}]
    for number, files in enumerate(contents):
        tar = layer_tar(files)
        layers.append(tar)
        folder = tmp_path / "overlay" / f"id{number}" / "diff"
        for name, body in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(body)
        (tmp_path / "overlay-layers").mkdir(exist_ok=True)
        (tmp_path / "overlay-layers" / f"id{number}.tar-split.gz").write_bytes(split(tar, files))
        entries.append({"id": f"id{number}", "diff-digest": digest(tar)})
    (tmp_path / "overlay-layers" / "layers.json").write_text(json.dumps([*entries, {"id": "new"}]))
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": digest(b"{}")},
        "layers": [{"digest": digest(tar), "size": len(tar)} for tar in layers],
    }
    return Store(FakeBuildah(json.dumps(manifest).encode(), b"{}"), tmp_path)


def archived(store: Store, *, without: tuple[str, ...] = ()) -> tuple[dict[str, bytes], int]:
    sink = io.BytesIO()
    written = store.write_archive(store.manifest(REFERENCE), sink, without=without)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        bodies = {member.name: archive.extractfile(member).read() for member in archive}
    return bodies, written


def test_an_archive_holds_the_layers_byte_for_byte(store: Store, layers: list[bytes]) -> None:
    bodies, written = archived(store)
    for tar in layers:
        assert bodies[f"blobs/sha256/{hashlib.sha256(tar).hexdigest()}"] == tar
    assert written == sum(map(len, layers))
    assert all(
        name.endswith(hashlib.sha256(body).hexdigest())
        for name, body in bodies.items()
        if name.startswith("blobs/")
    )


def test_its_index_names_the_image_for_containerd(store: Store) -> None:
    bodies, _ = archived(store)
    (entry,) = json.loads(bodies["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == REFERENCE
    assert entry["digest"] == store.manifest(REFERENCE).digest
    assert entry["size"] == len(bodies[f"blobs/{entry['digest'].replace(':', '/')}"])


def test_what_the_receiver_has_is_left_out(store: Store, layers: list[bytes]) -> None:
    bodies, written = archived(store, without=(digest(layers[0]),))
    assert f"blobs/sha256/{hashlib.sha256(layers[0]).hexdigest()}" not in bodies
    assert written == len(layers[1])


def test_a_file_that_changed_in_the_storage_is_noticed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "overlay/id0/diff/etc/a").write_bytes(b"2")
    with pytest.raises(StoreError, match="changed"):
        archived(store)


def test_an_image_that_was_not_built_names_the_command(store: Store) -> None:
    with pytest.raises(StoreError, match="deploy/images build"):
        store.manifest("docker.io/slipway/engine:dev")
