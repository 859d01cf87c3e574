"""Who may talk to whom by a set of NetworkPolicies."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from tests.k8s.documents import Document, Documents
from tests.k8s.injected import Pod
from tests.k8s.references import NAMESPACE, matches


@dataclass(frozen=True)
class Place:
    """A pod, or an address outside.

    Attributes:
        namespace: of the pod; empty for an address.
        labels: of the pod.
        address: without a pod.
    """

    namespace: str
    labels: dict[str, str] = field(default_factory=dict)
    address: str | None = None


def place(pod: Pod) -> Place:
    """Where a pod of ours is."""
    return Place(NAMESPACE, pod.labels)


def may_reach(documents: Documents, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
    """Whether both sides' policies let a connection pass."""
    policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
    return _passes(policies, source, target, port, protocol, "egress") and _passes(
        policies, target, source, port, protocol, "ingress"
    )


def _passes(policies: Documents, of: Place, other: Place, port: int, protocol: str, direction: str) -> bool:
    kind, peers = ("Egress", "to") if direction == "egress" else ("Ingress", "from")
    held = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == of.namespace
        and matches(policy["spec"]["podSelector"], of.labels)
        and kind in policy["spec"].get("policyTypes", ["Ingress"])
    ]
    if not held:
        return True
    rules = [rule for spec in held for rule in spec.get(direction, [])]
    return any(
        (not rule.get(peers) or any(_is(peer, other, of.namespace) for peer in rule[peers]))
        and (not rule.get("ports") or any(_fits(one, port, protocol) for one in rule["ports"]))
        for rule in rules
    )


def _is(peer: Document, other: Place, namespace: str) -> bool:
    if "ipBlock" in peer:
        if other.address is None:
            return False
        address, block = ipaddress.ip_address(other.address), peer["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(address in ipaddress.ip_network(one) for one in block.get("except", []))
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != namespace:
        return False
    return matches(peer.get("podSelector", {}), other.labels)


def _fits(rule: Document, port: int, protocol: str) -> bool:
    if rule.get("protocol", "TCP") != protocol:
        return False
    return bool(rule["port"] <= port <= rule.get("endPort", rule["port"]))
