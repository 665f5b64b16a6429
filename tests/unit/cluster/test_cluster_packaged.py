"""Programs of the distribution's packages: linked where installed, else left to the compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway_cluster.packaged import obtain
from slipway_cluster.versions import TOOLS, Package

PROMTOOL = Package(name="prometheus", path="usr/bin/promtool")


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    made = folder / name
    made.write_text("#!/bin/sh\n", "utf-8")
    made.chmod(0o755)
    return made


def test_an_installed_program_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = program(tmp_path / "path", "promtool")
    monkeypatch.setenv("PATH", str(installed.parent))
    target = tmp_path / "bin" / "promtool-any"
    assert obtain(PROMTOOL, target)
    assert target.resolve() == installed


def test_a_link_to_a_program_that_is_gone_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = program(tmp_path / "path", "promtool")
    monkeypatch.setenv("PATH", str(installed.parent))
    target = tmp_path / "promtool-any"
    target.symlink_to(tmp_path / "gone")
    assert obtain(PROMTOOL, target)
    assert target.exists()


def test_without_apt_it_is_left_to_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not obtain(PROMTOOL, tmp_path / "bin" / "promtool-any")


def test_where_apt_fails_it_is_left_to_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "dpkg-deb"):
        program(tmp_path / "path", name).write_text("#!/bin/sh\nexit 1\n", "utf-8")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    target = tmp_path / "bin" / "promtool-any"
    assert not obtain(PROMTOOL, target)
    assert not target.exists()


def test_any_release_of_a_packaged_tool_does() -> None:
    assert TOOLS["promtool"].key == "promtool-any"
    assert TOOLS["prometheus"].group == TOOLS["promtool"].group
