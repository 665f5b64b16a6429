"""Which connections the NetworkPolicies allow: a table of flows, both ways, and who has rights."""

from __future__ import annotations

from typing import Any

import pytest
from chart_values import EVERYTHING, nested
from chart_values import MINIO as IN_MINIO
from helm_chart import of_kind, only, pods, render
from network_policies import Peer, allowed


def own(component: str) -> Peer:
    """A pod of the chart."""
    prefix = "app.kubernetes.io/"
    names = {"name": "slipway", "instance": "slipway", "part-of": "slipway"}
    labels = {prefix + name: value for name, value in names.items()}
    return Peer(labels=labels | {prefix + "component": component})


def child(component: str) -> Peer:
    """A pod of a Job or a RayService, labelled as the operator labels it."""
    names = {"managed-by": "slipway", "part-of": "slipway"}
    labels = {f"app.kubernetes.io/{name}": value for name, value in names.items()}
    return Peer(labels=labels | {"slipway.dev/component": component, "slipway.dev/model": "m"})


def outside(namespace: str) -> Peer:
    return Peer(namespace=namespace, labels={"app": "x"})


GATEWAY, OPERATOR, POSTGRES = own("gateway"), own("operator"), own("postgres")
WORKER = own("worker")
ENGINE, RUN, TEST = child("backend"), child("run"), own("helm-test")
API, HUB, METADATA = (
    Peer(address="10.96.0.1"),
    Peer(address="18.1.2.3"),
    Peer(address="169.254.169.254"),
)
MINIO = Peer(namespace="minio", labels={"app": "minio"})
DNS, KUBERAY, PROMETHEUS = outside("kube-system"), outside("kuberay-system"), outside("monitoring")
STRANGER = outside("default")
NEIGHBOUR = Peer(labels={"app": "x"})

ALLOWED = [
    (STRANGER, GATEWAY, 8000),
    (HUB, GATEWAY, 8000),
    (TEST, GATEWAY, 8000),
    (GATEWAY, POSTGRES, 5432),
    (GATEWAY, ENGINE, 8000),
    (WORKER, POSTGRES, 5432),
    (WORKER, GATEWAY, 8000),
    (OPERATOR, POSTGRES, 5432),
    (OPERATOR, ENGINE, 8000),
    (OPERATOR, API, 443),
    (OPERATOR, API, 6443),
    (ENGINE, ENGINE, 6379),
    (ENGINE, ENGINE, 8265),
    (KUBERAY, ENGINE, 8265),
    (KUBERAY, ENGINE, 8000),
    (RUN, RUN, 29500),
]
DENIED = [
    (STRANGER, ENGINE, 8265),
    (STRANGER, ENGINE, 8000),
    (NEIGHBOUR, ENGINE, 8265),
    (NEIGHBOUR, POSTGRES, 5432),
    (STRANGER, POSTGRES, 5432),
    (STRANGER, OPERATOR, 8080),
    (KUBERAY, ENGINE, 6379),
    (KUBERAY, POSTGRES, 5432),
    (GATEWAY, ENGINE, 8265),
    (GATEWAY, OPERATOR, 8080),
    (GATEWAY, WORKER, 8090),
    (STRANGER, WORKER, 8090),
    (PROMETHEUS, WORKER, 8090),
    (WORKER, ENGINE, 8000),
    (WORKER, OPERATOR, 8080),
    (WORKER, API, 443),
    (WORKER, HUB, 443),
    (WORKER, METADATA, 80),
    (GATEWAY, API, 443),
    (GATEWAY, HUB, 443),
    (OPERATOR, ENGINE, 8265),
    (OPERATOR, ENGINE, 6379),
    (OPERATOR, RUN, 29500),
    (ENGINE, POSTGRES, 5432),
    (ENGINE, GATEWAY, 8000),
    (ENGINE, API, 443),
    (ENGINE, HUB, 443),
    (ENGINE, METADATA, 80),
    (RUN, ENGINE, 8000),
    (RUN, ENGINE, 8265),
    (RUN, POSTGRES, 5432),
    (RUN, API, 443),
    (RUN, HUB, 443),
    (RUN, METADATA, 80),
    (POSTGRES, HUB, 443),
    (POSTGRES, GATEWAY, 8000),
    (TEST, POSTGRES, 5432),
    (PROMETHEUS, OPERATOR, 8080),
    (PROMETHEUS, ENGINE, 8080),
]


def policies(values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return of_kind(render(values), "NetworkPolicy")


def verdicts(found, flows) -> dict[int, bool]:
    return {
        number: allowed(found, source=source, target=target, port=port)
        for number, (source, target, port) in enumerate(flows)
    }


def test_the_flows_that_the_release_needs_and_no_other(default):
    found = of_kind(default, "NetworkPolicy")
    assert [ALLOWED[n] for n, ok in verdicts(found, ALLOWED).items() if not ok] == []
    assert [DENIED[n] for n, ok in verdicts(found, DENIED).items() if ok] == []


@pytest.mark.parametrize("peer", [GATEWAY, OPERATOR, WORKER, POSTGRES, ENGINE, RUN, TEST])
def test_everybody_may_ask_for_names(default, peer):
    found = of_kind(default, "NetworkPolicy")
    for protocol in ("UDP", "TCP"):
        assert allowed(found, source=peer, target=DNS, port=53, protocol=protocol)
    assert not allowed(found, source=peer, target=DNS, port=443)
    assert not allowed(found, source=peer, target=HUB, port=53, protocol="UDP")


def test_the_operators_way_to_the_api_server_can_be_narrowed():
    found = policies(nested("networkPolicy.apiServer", {"cidrs": ["10.96.0.1/32"], "ports": [443]}))
    assert allowed(found, source=OPERATOR, target=API, port=443)
    assert not allowed(found, source=OPERATOR, target=API, port=6443)
    assert not allowed(found, source=OPERATOR, target=HUB, port=443)


def test_named_callers_only():
    found = policies(EVERYTHING)
    assert allowed(found, source=TEST, target=GATEWAY, port=8000)
    found = policies(
        nested("networkPolicy.clients", [{"namespaceSelector": {"matchLabels": {"team": "a"}}}])
    )
    assert not allowed(found, source=STRANGER, target=GATEWAY, port=8000)
    assert allowed(found, source=TEST, target=GATEWAY, port=8000)
    assert allowed(found, source=WORKER, target=GATEWAY, port=8000)


def test_runs_reach_hubs_by_option_and_never_the_clouds_metadata():
    found = policies(nested("networkPolicy.runsEgress.enabled", True))
    assert allowed(found, source=RUN, target=HUB, port=443)
    assert not allowed(found, source=RUN, target=METADATA, port=443)
    assert not allowed(found, source=RUN, target=API, port=443)
    assert not allowed(found, source=ENGINE, target=HUB, port=443)


def test_only_heads_of_ray_reach_the_api_server_and_only_by_option(default):
    head = Peer(labels=dict(ENGINE.labels) | {"ray.io/node-type": "head"})
    by_default = of_kind(default, "NetworkPolicy")
    assert not allowed(by_default, source=head, target=API, port=443)
    found = policies(nested("networkPolicy.rayAutoscaling", True))
    assert allowed(found, source=head, target=API, port=443)
    assert not allowed(found, source=ENGINE, target=API, port=443)


def test_prometheus_reaches_metrics_where_monitored():
    found = policies(nested("monitoring.enabled", True))
    for target, port in ((GATEWAY, 8000), (OPERATOR, 8080), (WORKER, 8090), (ENGINE, 8080)):
        assert allowed(found, source=PROMETHEUS, target=target, port=port)
        assert port == 8000 or not allowed(found, source=STRANGER, target=target, port=port)
    without = policies(nested("monitoring", {"enabled": True, "engines": False}))
    assert not allowed(without, source=PROMETHEUS, target=ENGINE, port=8080)


def test_an_external_database_is_reached_by_address():
    values = {
        "database": {"external": {"existingSecret": "pg"}},
        "networkPolicy": {"database": {"cidrs": ["10.1.2.3/32"], "port": 6432}},
    }
    found = policies(values)
    for source in (GATEWAY, OPERATOR, WORKER):
        assert allowed(found, source=source, target=Peer(address="10.1.2.3"), port=6432)
        assert not allowed(found, source=source, target=Peer(address="10.1.2.4"), port=6432)
    assert not allowed(found, source=ENGINE, target=Peer(address="10.1.2.3"), port=6432)


def test_every_pod_of_the_chart_is_denied_by_default(default):
    deny = only(default, "NetworkPolicy", "slipway-default-deny")["spec"]
    assert set(deny["policyTypes"]) == {"Ingress", "Egress"}
    chosen = deny["podSelector"]["matchLabels"].items()
    for where, pod in pods(render(EVERYTHING)):
        assert chosen <= pod["metadata"]["labels"].items(), where


def test_other_peoples_pods_are_left_alone(default):
    found = of_kind(default, "NetworkPolicy")
    assert allowed(found, source=NEIGHBOUR, target=HUB, port=443)
    assert allowed(found, source=STRANGER, target=NEIGHBOUR, port=80)


def test_the_role_has_no_wildcard_and_one_subject():
    objects = render(EVERYTHING)
    (role,), (binding,) = of_kind(objects, "Role"), of_kind(objects, "RoleBinding")
    assert not [o for o in objects if o["kind"].startswith("Cluster")]
    assert [s["name"] for s in binding["subjects"]] == ["slipway-operator"]
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert "*" not in {word for grant in granted for word in grant}
    written = {resource for _, resource, verb in granted if verb not in {"get", "list", "watch"}}
    assert not written & {"pods", "pods/log"}
    assert ("slipway.dev", "models", "delete") not in granted
    assert not {resource for _, resource, _ in granted} & {"secrets", "pods/exec", "roles"}


def test_only_the_operators_account_is_bound_and_no_account_mounts_a_token(default):
    accounts = of_kind(default, "ServiceAccount")
    assert {a["metadata"]["name"].removeprefix("slipway-") for a in accounts} == {
        "operator", "gateway", "worker", "postgres", "run", "engine",
    }  # fmt: skip
    assert all(a["automountServiceAccountToken"] is False for a in accounts)


def test_runs_and_engines_alone_reach_the_object_store(default):
    flows = [(peer, MINIO, 9000) for peer in (ENGINE, RUN)]
    assert not any(verdicts(of_kind(default, "NetworkPolicy"), flows).values())
    found = policies(IN_MINIO)
    assert all(verdicts(found, flows).values())
    others = [(peer, MINIO, 9000) for peer in (GATEWAY, OPERATOR, WORKER, POSTGRES, TEST)]
    wrong = [(ENGINE, MINIO, 9001), (ENGINE, outside("minio"), 9000), (RUN, HUB, 9000)]
    assert not any(verdicts(found, [*others, *wrong, *DENIED]).values())
