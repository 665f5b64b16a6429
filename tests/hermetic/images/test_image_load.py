"""Loading, through a ``ctr`` that is a script: what is sent, what is skipped, how it fails."""

import io
import tarfile
from collections.abc import Collection
from pathlib import Path

import pytest

from slipway_images.containerd import Containerd
from slipway_images.errors import CommandFailed, ImagesError

CTR = """\
#!/bin/bash
echo "$*" >> {folder}/calls
case "$*" in
  *"images list"*) printf 'REF TYPE DIGEST SIZE\\ndocker.io/slipway/gateway:dev t sha256:1 1\\n' ;;
  *"content list"*) echo sha256:held ;;
  *"images import"*) {act} ;;
esac
"""


class FakeStore:
    """Writes 4 MB, more than a pipe holds, so that a reader that leaves is noticed."""

    def write_archive(
        self, manifest: object, sink: io.RawIOBase, *, without: Collection[str]
    ) -> int:
        self.without = set(without)
        with tarfile.open(fileobj=sink, mode="w|") as archive:
            member = tarfile.TarInfo("blob")
            member.size = 4 << 20
            archive.addfile(member, io.BytesIO(bytes(4 << 20)))
        return 4 << 20


class Wanted:
    """As much of a manifest as loading reads."""

    reference = "docker.io/slipway/gateway:dev"


@pytest.fixture
def ctr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def install(act: str) -> Containerd:
        script = tmp_path / "bin" / "ctr"
        script.parent.mkdir()
        script.write_text(CTR.format(folder=tmp_path, act=act))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        (tmp_path / "socket").touch()
        return Containerd(tmp_path / "socket")

    return install


def test_what_containerd_holds_is_not_sent(ctr, tmp_path: Path) -> None:
    store = FakeStore()
    assert ctr(f"cat > {tmp_path}/got").load(store, Wanted()) == 4 << 20
    assert store.without == {"sha256:held"}
    with tarfile.open(tmp_path / "got") as archive:
        assert archive.getnames() == ["blob"]


def test_images_are_known_by_their_digest(ctr) -> None:
    assert ctr(":").images() == {"docker.io/slipway/gateway:dev": "sha256:1"}


def test_calls_go_to_the_kubelets_namespace(ctr, tmp_path: Path) -> None:
    ctr("cat > /dev/null").load(FakeStore(), Wanted())
    for call in (tmp_path / "calls").read_text().splitlines():
        assert call.startswith(f"--address {tmp_path}/socket --namespace k8s.io ")


def test_a_refused_import_says_why(ctr) -> None:
    with pytest.raises(CommandFailed, match="no space left"):
        ctr("echo 'no space left' >&2; exit 1").load(FakeStore(), Wanted())


def test_without_a_cluster_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match="make cluster"):
        Containerd(tmp_path / "none")
