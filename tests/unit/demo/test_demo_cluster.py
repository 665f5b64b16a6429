"""Pods into replicas, and addresses of a cluster into addresses of this machine."""

from __future__ import annotations

import pytest

from slipway_cli.demo.cluster import _runs_for, replica_of
from slipway_cli.demo.on_cluster import moved
from slipway_cli.demo.platform import ReplicaSeen


def a_pod(cluster, phase="Running", **labels):
    return {
        "metadata": {
            "uid": "u1",
            "labels": {"ray.io/cluster": cluster, "ray.io/node-type": "head", **labels},
        },
        "status": {"phase": phase, "containerStatuses": [{"restartCount": 2}]},
    }


def test_a_restart_is_another_replica():
    pod = a_pod("v1-ab12cd34-x9y8z", **{"ray.io/group": "headgroup"})
    assert replica_of(pod) == ReplicaSeen(deployment="head/headgroup", replica="u1", run=2)


@pytest.mark.parametrize(
    ("pod", "whether"),
    [
        pytest.param(a_pod("v1-ab12cd34-x9y8z"), True, id="its own"),
        pytest.param(a_pod("v1-ab12cd34-raycluster-x9y8z"), True, id="an older name"),
        pytest.param(a_pod("v1-ab12cd34-x9y8z", phase="Pending"), False, id="not running"),
        pytest.param(a_pod("v1-ab12cd34-more-x9y8z"), False, id="a longer name"),
        pytest.param({"metadata": {}, "status": {"phase": "Running"}}, False, id="no Ray pod"),
    ],
)
def test_pods_of_a_backend(pod, whether):
    assert _runs_for(pod, "v1-ab12cd34") is whether


def test_a_dsn_moves_with_user_password_and_options():
    dsn = "postgresql://slipway:p%40ss@slipway-postgres.slipway.svc:5432/slipway?sslmode=disable"
    assert moved(dsn, 4711) == (
        "postgresql://slipway:p%40ss@127.0.0.1:4711/slipway?sslmode=disable"
    )
