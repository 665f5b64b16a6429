"""kubeconform over every value set: strict schemas of Kubernetes, our CRDs and optional kinds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from chart_values import ACCEPTED
from helm_chart import CHART, render, template, tool
from kube_schemas import core_schemas, crd_schemas

from slipway_cluster import prometheus
from slipway_cluster.cache import folders

# Kinds of others whose CRDs are not had here: only the fields that the chart uses.
OPTIONAL = Path(__file__).with_name("schemas")
NAMES = "{{ .ResourceKind }}{{ .KindSuffix }}.json"


@pytest.fixture(scope="session")
def schemas(tmp_path_factory) -> Path:
    """One folder with all of them."""
    folder = tmp_path_factory.mktemp("schemas")
    for path in [*core_schemas().iterdir(), *OPTIONAL.iterdir()]:
        shutil.copy(path, folder)
    crd_schemas(CHART / "crds", folder)
    for kind in ("podmonitors", "prometheusrules", "servicemonitors"):
        crd_schemas(prometheus.crds(folders()), folder, chosen=f"*_{kind}.yaml")
    return folder


def conform(schemas: Path, text: str) -> tuple[int, list[dict]]:
    """kubeconform's exit code, and what it says of each object that is not right."""
    done = subprocess.run(
        [tool("kubeconform"), "-strict", "-output", "json", "-summary",
         "-schema-location", str(schemas / NAMES), "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    return done.returncode, answer["resources"] or []


@pytest.fixture(scope="session")
def everything_at_once(schemas):
    """kubeconform once over all value sets; by the id of the set."""
    texts = {name: template(values) for name, values in ACCEPTED.items()}
    texts |= {name: template(files=(name,)) for name in ("values-gpu.yaml", "values-test.yaml")}
    return conform(schemas, "\n---\n".join(texts.values()))


def test_every_value_set_conforms(everything_at_once):
    code, wrong = everything_at_once
    assert (code, wrong) == (0, [])


def test_the_crds_conform(schemas):
    for path in (CHART / "crds").iterdir():
        assert conform(schemas, path.read_text("utf-8")) == (0, [])


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "tolerance"), []),
        ("NetworkPolicy", ("spec", "policyType"), ["Ingress"]),
        ("Model", ("spec", "servings"), {}),
        ("ModelVersion", ("spec", "source", "random", "seed"), "one"),
        ("ServiceMonitor", ("spec", "endpoint"), []),
        ("PodMonitor", ("spec", "podMetricsEndpoint"), []),
        ("HTTPRoute", ("spec", "parentRef"), []),
    ],
)
def test_a_typo_would_be_found(schemas, kind, path, value):
    objects = [o for o in render(ACCEPTED["everything"]) if o["kind"] == kind]
    objects += [o for o in render() if o["kind"] == kind]
    *parents, last = path
    node = objects[0]
    for name in parents:
        node = node[name]
    node[last] = value
    code, wrong = conform(schemas, yaml.safe_dump(objects[0]))
    assert code != 0
    assert last in json.dumps(wrong)
