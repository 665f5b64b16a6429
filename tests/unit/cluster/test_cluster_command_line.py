"""The command line's surface and what it says before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway_cluster import cache, preflight, tools
from slipway_cluster.__main__ import COMMANDS, main, parser
from slipway_cluster.errors import ClusterError, MissingToolError


def test_the_surface() -> None:
    assert list(COMMANDS) == [
        *("up", "able", "down", "kubeconfig", "status", "logs", "tools", "import"),
        *("minio", "prometheus", "browser", "install", "remove", "reclaim"),
    ]
    options = parser().parse_args(["up"])
    assert (options.runtime, options.without_kuberay) == ("auto", False)
    assert parser().parse_args(["tools"]).names == ["all"]
    assert parser().parse_args(["import", "a", "b"]).archives == [Path("a"), Path("b")]


@pytest.mark.parametrize(("ci", "install"), [("true", True), ("", False)])
def test_packages_are_installed_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, ci: str, install: bool
) -> None:
    monkeypatch.setenv("CI", ci)
    assert parser().parse_args(["up"]).install_packages is install
    assert parser().parse_args(["able"]).install_packages is install
    assert parser().parse_args(["up", "--install-packages"]).install_packages is True


def test_missing_packages_are_named_once() -> None:
    assert preflight.missing_packages(lambda program: None if program == "runc" else program) == [
        "runc"
    ]
    absent = preflight.missing_packages(lambda _: None)
    assert absent.count("containerd") == 1
    assert "buildah" not in absent
    assert "buildah" in preflight.missing_packages(lambda _: None, builders=True)


def test_a_folder_with_something_else_in_it_is_never_a_state_folder(tmp_path: Path) -> None:
    preflight.nobodys(tmp_path / "new")
    preflight.nobodys(tmp_path)
    (tmp_path / "thesis.tex").write_text("x", "utf-8")
    with pytest.raises(ClusterError, match="SLIPWAY_CLUSTER_HOME"):
        preflight.nobodys(tmp_path)


def test_another_kubernetes_is_refused() -> None:
    preflight.alone([])
    with pytest.raises(ClusterError, match=r"bridge x\n.*down --force"):
        preflight.alone(["bridge x"])


def test_a_missing_tool_names_the_command(tmp_path: Path) -> None:
    found = cache.Folders(cache=tmp_path, state=tmp_path / "state")
    with pytest.raises(MissingToolError, match="deploy/cluster tools etcd helm"):
        tools.require(found, ["etcd", "helm"])
    found.binaries.mkdir()
    tools.path_of(found, "etcd").touch()
    tools.require(found, ["etcd"])
    assert [tool.name for tool in tools.missing(found, ["etcd", "helm"])] == ["helm"]


def test_an_unknown_tool_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    assert main(["tools", "minikube"]) == 1
    assert "no tool or set is called 'minikube'" in capsys.readouterr().err


def test_logs_of_nobody_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    assert main(["--runtime", "assembled", "logs", "dockerd"]) == 1
    assert "there are: kube-controller-manager" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "release"), [("1.26.8", (1, 26, 8)), ("1.27rc1", (1,)), ("", ())])
def test_go_releases(text: str, release: tuple[int, ...]) -> None:
    assert tools.go_release(text) == release
