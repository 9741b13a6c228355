"""Who may reach whom: NetworkPolicies of pod and namespace selectors, evaluated as Kubernetes does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.k8s.manifests import Document, Pod, of_kind, selects

_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Peer:
    """A pod as a policy sees it."""

    labels: Mapping[str, str]
    namespace: str = "gardenos"
    pod: Pod | None = field(default=None, compare=False)
    """Its template, where it is one of ours: policies name ports as it does."""


def may_reach(documents: Sequence[Document], source: Peer, target: Peer, port: int) -> bool:
    """Whether `source` may open a TCP connection to `port` of `target`: both sides must agree."""
    return _allows(documents, "Egress", source, target, port) and _allows(
        documents, "Ingress", target, source, port
    )


def _allows(
    documents: Sequence[Document], direction: str, bound: Peer, other: Peer, port: int
) -> bool:
    """Whether the policies that bind one side allow the other; where none binds it, all is allowed."""
    policies = [
        policy["spec"]
        for policy in of_kind(documents, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"]
        and policy["metadata"]["namespace"] == bound.namespace
        and selects(policy["spec"]["podSelector"], bound.labels)
    ]
    if not policies:
        return True
    target = bound if direction == "Ingress" else other
    side = "from" if direction == "Ingress" else "to"
    return any(
        _is_peer(rule.get(side), other, bound.namespace) and _has_port(rule, target, port)
        for policy in policies
        for rule in policy.get(direction.lower(), ())
    )


def _is_peer(peers: Sequence[Mapping[str, Any]] | None, other: Peer, namespace: str) -> bool:
    if not peers:
        return True
    for peer in peers:
        if "ipBlock" in peer:  # addresses outside the cluster
            continue
        within = (
            selects(peer["namespaceSelector"], {_NAMESPACE: other.namespace})
            if "namespaceSelector" in peer
            else other.namespace == namespace
        )
        if within and selects(peer.get("podSelector", {}), other.labels):
            return True
    return False


def _has_port(rule: Mapping[str, Any], target: Peer, port: int) -> bool:
    ports = rule.get("ports")
    if not ports:
        return True
    for one in ports:
        number = one["port"]
        if isinstance(number, str):
            number = target.pod.port(number) if target.pod else None
        if number == port and one.get("protocol", "TCP") == "TCP":
            return True
    return False
