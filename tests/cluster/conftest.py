"""One cluster and one release for the whole tier: engines are what takes the time."""

from __future__ import annotations

import pytest
from cluster_release import Release, cluster_up, use_kubeconfig


@pytest.fixture(scope="session")
def cluster():
    cluster_up()
    use_kubeconfig()


@pytest.fixture(scope="session")
def release(cluster, tmp_path_factory):
    release = Release(home=tmp_path_factory.mktemp("release"))
    release.install()
    yield release
    if release.get("namespace", release.namespace) is not None:
        release.remove()
