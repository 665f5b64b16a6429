"""Ray Serve's answer into applications and replicas."""

from __future__ import annotations

from slipway_cli.demo.laptop import replicas_of
from slipway_cli.demo.platform import ReplicaSeen


def application(**deployments):
    return {
        "deployments": {
            name: {"replicas": [{"replica_id": i, "pid": pid, "state": state}]}
            for name, (i, pid, state) in deployments.items()
        }
    }


def test_running_replicas_and_empty_applications():
    body = {
        "applications": {
            "v1-ab": application(LLMServer=("x", 7, "RUNNING"), Ingress=("y", 8, "STARTING")),
            "v2-cd": {},
        }
    }
    assert replicas_of(body) == {
        "v1-ab": {ReplicaSeen(deployment="LLMServer", replica="x", run=7)},
        "v2-cd": set(),
    }


def test_nothing_deployed():
    assert replicas_of({}) == {}
    assert replicas_of({"applications": None}) == {}
