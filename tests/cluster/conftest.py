"""One cluster and one release for the whole tier: engines are what takes the time."""

from __future__ import annotations

import pytest
from cluster_release import (
    A_MODEL,
    MODEL,
    Release,
    a_version,
    cluster_down,
    cluster_runs,
    cluster_up,
    images_in,
    use_kubeconfig,
)

TRAINED = {
    "training": {
        "method": "scratch",
        "architecture": "tiny-llama",
        "data": {"sources": ["bundled:jargon"], "blockSize": 128},
        "maxSteps": 20,
        "batchSize": 4,
    }
}
EVALUATED = {
    "suites": [{"name": "heldout", "kind": "heldout", "sources": ["bundled:jargon"]}],
    "gates": [{"metric": "heldout.perplexity", "max": 20000}],
}


@pytest.fixture(scope="session")
def cluster():
    """Up; one that ran before goes on running."""
    ran = cluster_runs()
    cluster_up()
    use_kubeconfig()
    yield
    if not ran:
        cluster_down()


@pytest.fixture(scope="session")
def release(cluster, tmp_path_factory):
    images_in()
    release = Release(home=tmp_path_factory.mktemp("release"))
    release.install()
    yield release
    if release.get("namespace", release.namespace) is not None:
        release.remove()


@pytest.fixture
def stable(release):
    """The name of the version that serves; the first is trained, evaluated and promoted here."""
    if release.get("model", MODEL) is None:
        release.apply(A_MODEL, a_version("first", TRAINED, evaluation=EVALUATED))
        release.phase("first", "Serving")
    return release.get("model", MODEL)["status"]["stable"]
