"""helm lint, the helm-unittest suites, and that each template has one."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from helm_chart import CHART, KUBERNETES, helm, tool

ROOT = CHART.parents[1]


@pytest.mark.parametrize("values", ["values.yaml", "values-gpu.yaml", "values-test.yaml"])
def test_helm_lint(values):
    shown = helm("lint", CHART, "--strict", "--kube-version", KUBERNETES, "-f", CHART / values)
    assert "0 chart(s) failed" in shown


def test_helm_unittest_suites():
    done = subprocess.run(
        [tool("helm-unittest"), "--strict", "-f", "tests/*_test.yaml", str(CHART)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_template_has_a_suite():
    tested = {
        template
        for path in (CHART / "tests").glob("*_test.yaml")
        for template in yaml.safe_load(path.read_text("utf-8"))["templates"]
    }
    found = {
        path.relative_to(CHART / "templates").as_posix()
        for path in (CHART / "templates").rglob("*.yaml")
    }
    assert tested == found | {"NOTES.txt"}


def test_the_charts_version_is_the_products():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    versions = {
        tomllib.loads(path.read_text("utf-8"))["project"]["version"]
        for folder in ("operator", "services/gateway", "services/engine", "training-jobs")
        for path in [ROOT / folder / "pyproject.toml"]
    }
    assert versions == {str(chart["appVersion"])}


def test_packaged_it_holds_what_it_needs_and_no_more(tmp_path):
    helm("package", CHART, "--destination", tmp_path)
    (archive,) = tmp_path.glob("*.tgz")
    listed = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True)
    names = {Path(line).relative_to("slipway").as_posix() for line in listed.stdout.split()}
    assert {"Chart.yaml", "values.schema.json", "README.md", "values-gpu.yaml"} <= names
    assert {"crds/models.slipway.dev.yaml", "crds/modelversions.slipway.dev.yaml"} <= names
    assert "files/helm_test.py" in names
    assert not [name for name in names if name.startswith("tests/") or "head.md" in name]
