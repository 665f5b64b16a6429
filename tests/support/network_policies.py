"""What NetworkPolicies allow, worked out from the objects: enough for a table of flows.

A flow is allowed when the sender's egress and the receiver's ingress allow it; a pod that no policy
of a direction selects is open in that direction. Peers are pods (with a namespace) or addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A pod by its labels and namespace, or (``address`` given) something that is no pod."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "slipway"
    address: str = ""


def allowed(
    policies: list[Object], *, source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether ``source`` may open a connection to ``target``."""
    wanted = {"port": port, "protocol": protocol}
    return _passes(policies, "Egress", source, target, wanted) and _passes(
        policies, "Ingress", target, source, wanted
    )


def _passes(
    policies: list[Object], direction: str, subject: Peer, other: Peer, wanted: Object
) -> bool:
    if subject.address:
        return True
    mine = [p for p in policies if _selects(p, direction, subject)]
    rules, peers = (("egress", "to"), ("ingress", "from"))[direction == "Ingress"]
    return not mine or any(
        _port_matches(rule, wanted) and _any_peer(rule.get(peers), other, policy)
        for policy in mine
        for rule in policy["spec"].get(rules) or []
    )


def _selects(policy: Object, direction: str, subject: Peer) -> bool:
    return (
        policy["metadata"]["namespace"] == subject.namespace
        and direction in policy["spec"]["policyTypes"]
        and _labels_match(policy["spec"]["podSelector"], subject.labels)
    )


def _port_matches(rule: Object, wanted: Object) -> bool:
    ports = rule.get("ports")
    return not ports or any(p == wanted for p in ports)


def _any_peer(peers: list[Object] | None, other: Peer, policy: Object) -> bool:
    return not peers or any(_peer_matches(peer, other, policy) for peer in peers)


def _peer_matches(peer: Object, other: Peer, policy: Object) -> bool:
    if "ipBlock" in peer:
        return bool(other.address) and _in_block(other.address, peer["ipBlock"])
    if other.address:
        return False
    namespaces = peer.get("namespaceSelector")
    if namespaces is None:
        in_namespace = other.namespace == policy["metadata"]["namespace"]
    else:
        in_namespace = _labels_match(namespaces, {"kubernetes.io/metadata.name": other.namespace})
    return in_namespace and _labels_match(peer.get("podSelector", {}), other.labels)


def _in_block(address: str, block: Object) -> bool:
    found = ipaddress.ip_address(address)
    without = [ipaddress.ip_network(cidr) for cidr in block.get("except", [])]
    return found in ipaddress.ip_network(block["cidr"]) and not any(found in n for n in without)


def _labels_match(selector: Object, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert all(found["operator"] == "In" for found in expressions), "only In is understood here"
    return all(
        labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()
    ) and all(labels.get(found["key"]) in found["values"] for found in expressions)
