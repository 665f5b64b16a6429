"""The chart rendered by a real Helm: values in, objects out, or the error that Helm gives.

Tools come from the cache of `make tools`, else from PATH; a test that needs a missing one fails and
names the command that builds it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from slipway_cluster import tools
from slipway_cluster.cache import folders

CHART = Path(__file__).parents[2] / "charts" / "slipway"
RELEASE = NAMESPACE = "slipway"
Object = dict[str, Any]
# A Helm that was built from its module thinks of an old Kubernetes.
KUBERNETES = "v1.34.0"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused(AssertionError):
    """Helm refused the values; the message is Helm's."""


@cache
def tool(name: str) -> str:
    """The path of a built or installed tool."""
    built = tools.path_of(folders(), name)
    found = str(built) if built.exists() else shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is neither built nor installed; run: make tools TOOLS=charts")
    return found


def helm(*arguments: str | Path, chart: Path = CHART) -> str:
    """Run Helm offline and return what it prints; Refused where it fails."""
    with tempfile.TemporaryDirectory(prefix="slipway-helm-") as home:
        done = subprocess.run(
            [tool("helm"), *map(str, arguments)],
            env={"HOME": home, "PATH": "/usr/bin:/bin"},
            cwd=chart,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def render(
    values: Mapping[str, Any] | None = None,
    *,
    files: tuple[str, ...] = (),
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    chart: Path = CHART,
) -> list[Object]:
    """Every object of `helm template`, hooks too."""
    text = template(values, files=files, release=release, namespace=namespace, chart=chart)
    return [found for found in yaml.load_all(text, Loader=_Loader) if found]


def template(
    values: Mapping[str, Any] | None = None,
    *,
    files: tuple[str, ...] = (),
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    chart: Path = CHART,
) -> str:
    """The text of `helm template`. ``files`` are names in the chart's folder."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as given:
        yaml.safe_dump(dict(values or {}), given)
        given.flush()
        chosen = [flag for name in files for flag in ("-f", chart / name)]
        return helm(
            "template", release, chart, "--namespace", namespace, "--kube-version", KUBERNETES,
            *chosen, "-f", given.name, chart=chart,
        )  # fmt: skip


def only(objects: list[Object], kind: str, name: str) -> Object:
    """The object of that kind and name; AssertionError where there is none or are several."""
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """All of a kind."""
    return [found for found in objects if found["kind"] == kind]


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """(where, pod as ``{metadata, spec}``) of every pod or pod template."""
    for found in objects:
        where = f"{found['kind']}/{found['metadata']['name']}"
        if found["kind"] == "Pod":
            yield where, found
        elif found["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            yield where, found["spec"]["template"]


def environment(pod: Object) -> dict[str, Any]:
    """The first container's variables: a value, or the reference."""
    entries = pod["spec"]["containers"][0].get("env", [])
    assert len({entry["name"] for entry in entries}) == len(entries), "a variable is set twice"
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}
