"""The names of others' metrics are theirs: Ray's and vLLM's are in the source that we install."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.metrics.foreign import FOREIGN, Exporter, foreign


def source(package, *patterns):
    """Text of a package's files, without importing it."""
    folder = Path(find_spec(package).submodule_search_locations[0])
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    return "".join(path.read_text("utf-8") for path in found)


RAY = source("ray", "serve/_private/*.py", "dashboard/modules/reporter/reporter_agent.py")
VLLM = source("vllm", "v1/metrics/loggers.py")


def of(*exporters):
    return [metric for metric in FOREIGN if metric.exporter in exporters]


@pytest.mark.parametrize("metric", of(Exporter.RAY), ids=lambda metric: metric.name)
def test_ray_has_it(metric):
    name = metric.name.removeprefix("ray_")
    # A counter gets its _total from the exporter.
    plain = name.removesuffix("_total") if metric.kind == "counter" else name
    assert f'"{plain}"' in RAY


@pytest.mark.parametrize(
    "metric", of(Exporter.VLLM, Exporter.VLLM_IN_RAY), ids=lambda metric: metric.name
)
def test_vllm_has_it(metric):
    name = metric.name.removeprefix("ray_vllm_").removeprefix("vllm:").removesuffix("_total")
    assert f'"vllm:{name}"' in VLLM


def test_no_name_is_ours_and_somebody_elses():
    names = [metric.name for metric in (*CATALOGUE, *FOREIGN)]
    assert sorted(names) == sorted(set(names))


def test_an_unknown_name_is_refused_at_once():
    with pytest.raises(KeyError):
        foreign("ray_serve_nothing")
