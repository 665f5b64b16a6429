"""The image commands' surface, and that skaffold sets values that the chart has."""

import argparse
from pathlib import Path

import pytest
import yaml

from slipway_images.__main__ import main, parser
from slipway_images.catalog import DOCKERFILES, ROOT
from slipway_images.folders import folders

SURFACE = {
    "build": {"names", "--tag", "--gpu"},
    "load": {"names", "--tag", "--gpu", "--socket", "--kind"},
    "sizes": {"names", "--tag", "--gpu"},
    "save": {"names", "--tag", "--gpu", "--output"},
    "prune": set(),
}


def test_the_verbs_and_their_options_are_frozen() -> None:
    (verbs,) = [
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    found = {
        verb: {
            (action.option_strings or [action.dest])[-1]
            for action in made._actions
            if not isinstance(action, argparse._HelpAction)
        }
        for verb, made in verbs.choices.items()
    }
    assert found == SURFACE


def test_an_unknown_image_is_one_line_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    assert main(["build", "gatway"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: no image gatway; there are operator, gateway")
    assert said.count("\n") == 1


def test_folders_follow_the_cache_and_the_test_cluster() -> None:
    given = folders({"HOME": "/home/x", "SLIPWAY_CACHE": "/cache"})
    assert (given.home, given.socket) == (
        Path("/cache/images"),
        Path("/cache/cluster/state/run/containerd.sock"),
    )
    assert folders({"HOME": "/home/x"}).home == Path("/home/x/.cache/slipway/images")


def test_skaffold_sets_tags_that_the_chart_has() -> None:
    (release,) = yaml.safe_load((ROOT / "skaffold.yaml").read_text())["deploy"]["helm"]["releases"]
    values = yaml.safe_load((ROOT / release["chartPath"] / "values.yaml").read_text())
    assert len(release["setValueTemplates"]) == len(DOCKERFILES)
    for name in DOCKERFILES:
        template = release["setValueTemplates"][f"images.{name}.tag"]
        repository = f"{values['images']['registry']}/{values['images'][name]['repository']}"
        assert template == "{{.IMAGE_TAG_" + repository.replace(".", "_").replace("/", "_") + "}}"
