"""One cluster and one release for the whole tier: engines are what takes the time."""

from __future__ import annotations

import pytest
from cluster_release import (
    Release,
    cluster_down,
    cluster_runs,
    cluster_up,
    images_in,
    use_kubeconfig,
)


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
