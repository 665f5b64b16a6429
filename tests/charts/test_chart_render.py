"""Every value set renders, meets the restricted standard, and names its objects by the rules."""

from __future__ import annotations

import pytest
from chart_values import ACCEPTED, EVERYTHING, REFUSED
from helm_chart import CHART, NAMESPACE, RELEASE, Refused, pods, render
from pod_security import house_violations, violations

FILES = {"values-gpu": ("values-gpu.yaml",), "values-test": ("values-test.yaml",)}
CASES = [
    *(pytest.param(values, (), id=name) for name, values in ACCEPTED.items()),
    *(pytest.param({}, files, id=name) for name, files in FILES.items()),
]
STANDARD = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "part-of")}


def test_the_table_is_long_enough():
    assert len(CASES) >= 30


@pytest.mark.parametrize(("values", "files"), CASES)
def test_renders_restricted_and_named(values, files):
    objects = render(values, files=files)
    for found in objects:
        check_names(found, tuple(values.get("models", {"saiga": {}})))
    templates = dict(pods(objects))
    assert templates
    for where, pod in templates.items():
        assert violations(pod["spec"]) == [], where
        assert house_violations(pod["spec"]) == [], where
        tokens = pod["spec"]["automountServiceAccountToken"]
        assert tokens == (where == "Deployment/slipway-operator"), where
    identities = [(o["apiVersion"], o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(set(identities)) == len(identities)


def check_names(found: dict, models: tuple[str, ...]) -> None:
    metadata = found["metadata"]
    assert metadata["namespace"] == NAMESPACE
    assert metadata["labels"].keys() >= STANDARD | {"helm.sh/chart"}
    assert metadata["labels"]["app.kubernetes.io/part-of"] == RELEASE
    if not found["apiVersion"].startswith("slipway.dev/"):
        assert metadata["name"].startswith(f"{RELEASE}-")


def test_another_release_and_namespace_name_everything():
    text = str(render(release="blue", namespace="models"))
    for name in ("blue-gateway", "blue-platform", "'namespace': 'models'", "blue-postgres.models"):
        assert name in text
    assert "slipway-" not in text.replace("/slipway-", "").replace("slipway-0.1.0", "")


def test_a_long_release_name_fits_and_a_longer_one_is_refused():
    objects = render(EVERYTHING, release="r" * 40)
    identities = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(identities)) == len(identities)
    # A StatefulSet's pods carry its name and a hash of ten characters as a label.
    longest = max(len(name) for kind, name in identities if kind == "StatefulSet")
    assert longest + 11 <= 63
    with pytest.raises(Refused, match="at most 40"):
        render(release="r" * 41)


@pytest.mark.parametrize(("values", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_values_are_refused_by_name(values, named):
    with pytest.raises(Refused) as refused:
        render(values)
    message = str(refused.value).replace("'/", "'")
    for part in named:
        assert part in message or part.replace("/", ".") in message, message


def test_one_object_a_file_in_a_folder_a_component():
    for path in (CHART / "templates").rglob("*.yaml"):
        assert path.parent.parent == CHART / "templates", path
        text = path.read_text("utf-8")
        assert text.count("\nkind: ") + text.startswith("kind: ") == 1, path
