"""The machine's configuration reaches a build as files, and only what concerns packages."""

from pathlib import Path

import pytest

from slipway_images import machine
from slipway_images.errors import CommandFailed

OUTPUTS = {
    "apt-get": (
        "deb http://mirror.test/debian/ bookworm main\n"
        "deb http://mirror.test/debian/ bookworm main\n"
        "deb http://mirror.test/security/ bookworm-security main\n"
        "deb http://other.test/ nodistro main\n"
    ),
    "apt-config": 'Acquire::http::Proxy "http://proxy.test";\nAPT::Architecture "amd64";\n',
    "-m": "global.index-url='https://index.test/simple'\n:env:.find-links='/wheels'\n",
}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: list[str]) -> str:
        return OUTPUTS.get(argv[0]) or OUTPUTS[argv[1]]

    monkeypatch.setattr(machine, "run", run)
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def test_only_the_suite_of_the_base_is_used(configured: None) -> None:
    sources = machine.apt_sources()
    assert sources == [
        "deb http://mirror.test/debian/ bookworm main",
        "deb http://mirror.test/security/ bookworm-security main",
    ]
    assert machine.mirror(sources) == ["http://mirror.test/debian/"]


def test_files_are_written_and_mounted_read_only(configured: None, tmp_path: Path) -> None:
    mounts = dict(
        volume.removesuffix(":ro").split(":")[::-1] for volume in machine.volumes(tmp_path)
    )
    assert Path(mounts["/etc/apt/apt.conf.d/90machine"]).read_text() == (
        'Acquire::http::Proxy "http://proxy.test";\n'
    )
    assert "index-url = https://index.test/simple" in Path(mounts["/etc/pip.conf"]).read_text()
    assert "find-links" not in Path(mounts["/etc/pip.conf"]).read_text()
    assert 'index-url = "https://index.test/simple"' in Path(mounts["/etc/uv/uv.toml"]).read_text()


def test_a_machine_without_apt_leaves_the_images_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(argv: list[str]) -> str:
        raise CommandFailed(argv[0])

    monkeypatch.setattr(machine, "run", run)
    assert machine.apt_sources() == []
    assert machine.mirror([]) == []
    assert not [volume for volume in machine.volumes(tmp_path) if ":/etc/apt" in volume]
