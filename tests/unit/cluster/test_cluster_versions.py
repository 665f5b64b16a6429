"""The tool table: pinned, cached by version, chosen by name or by set."""

from __future__ import annotations

import re

import pytest

from slipway_cluster.versions import SETS, TOOLS, chosen


@pytest.mark.parametrize("tool", TOOLS.values(), ids=str)
def test_every_tool_is_pinned_to_a_release(tool: object) -> None:
    version = str(getattr(tool, "version", ""))
    # A release, or the commit of a module whose releases are no semantic versions.
    assert re.fullmatch(r"v\d+\.\d+\.\d+(-\d{14}-[0-9a-f]{12})?", version)


def test_keys_are_name_and_version_and_unique() -> None:
    keys = [tool.key for tool in TOOLS.values()]
    assert TOOLS["etcd"].key == f"etcd-{TOOLS['etcd'].version}"
    assert len(set(keys)) == len(keys)


def test_kubernetes_commands_share_one_module_with_every_staging_module_pinned() -> None:
    api, kubelet = TOOLS["kube-apiserver"], TOOLS["kubelet"]
    assert (api.group, api.replaces) == (kubelet.group, kubelet.replaces)
    assert api.replaces["k8s.io/api"].endswith("@" + api.version.replace("v1.", "v0.", 1))
    assert len(api.replaces) == 31


def test_each_module_has_a_folder_of_its_own() -> None:
    modules = {(tool.group, tool.package.split("/cmd/")[0]) for tool in TOOLS.values()}
    assert len({group for group, _ in modules}) == len(modules)


def test_linker_flags_stamp_the_version() -> None:
    flags = TOOLS["kubelet"].linker_flags
    assert f"-X k8s.io/component-base/version.gitVersion={TOOLS['kubelet'].version}" in flags
    assert TOOLS["helm"].linker_flags == "-s -w"


@pytest.mark.parametrize("name", SETS)
def test_sets_name_known_tools(name: str) -> None:
    assert {tool.name for tool in chosen([name])} == set(SETS[name])


def test_the_apiserver_tier_needs_three() -> None:
    assert [tool.name for tool in chosen(["apiserver"])] == [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
    ]


def test_names_and_sets_mix_and_nothing_comes_twice() -> None:
    assert [tool.name for tool in chosen(["helm", "charts", "helm"])] == [
        "helm",
        "helm-unittest",
        "helm-docs",
        "kubeconform",
    ]


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(KeyError, match="minikube"):
        chosen(["minikube"])
