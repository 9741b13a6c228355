"""An EndpointSlice of ours: who holds it under which term, and its form in `discovery.k8s.io/v1`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

API_VERSION = "discovery.k8s.io/v1"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "gardenos-discovery"
SERVICE = "kubernetes.io/service-name"
PORT_NAME = "postgresql"
HOLDER = "discovery.gardenos/holder"
TERM = "discovery.gardenos/term"
TIMELINE = "discovery.gardenos/timeline"
SYSTEM_ID = "discovery.gardenos/system-id"
CHANGED_AT = "discovery.gardenos/changed-at"
"""When it was written, for people: nothing is decided by it, clocks differ."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a member takes connections."""

    member: str
    address: str
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice as we publish it; two are equal if they say the same, whatever their versions."""

    service: str
    holder: str = ""
    """The member whose sidecar wrote it; empty where nobody has yet."""
    term: int = 0
    timeline: int = 0
    system_id: str = ""
    port: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    version: str = field(default="", compare=False)
    """The resourceVersion it was read with: what a write compares. Empty: it is not there."""
    document: Mapping[str, Any] = field(
        default_factory=dict[str, Any], compare=False, repr=False, hash=False
    )
    """All that was read: others' labels and annotations survive our writes."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A slice of that name which is not ours to write."""

    why: str


def family(address: str) -> str:
    """`IPv4` or `IPv6`; ValueError where it is no address, such as for a host's name."""
    return f"IPv{ipaddress.ip_address(address).version}"


def render(wanted: Slice, *, namespace: str, at: str) -> dict[str, Any]:
    """The document to write; it keeps what others added to the one that was read."""
    metadata = dict(wanted.document.get("metadata") or {})
    metadata |= {
        "name": wanted.service,
        "namespace": namespace,
        "labels": {
            **(metadata.get("labels") or {}),
            SERVICE: wanted.service,
            MANAGED_BY: MANAGER,
        },
        "annotations": {
            **(metadata.get("annotations") or {}),
            HOLDER: wanted.holder,
            TERM: str(wanted.term),
            TIMELINE: str(wanted.timeline),
            SYSTEM_ID: wanted.system_id,
            CHANGED_AT: at,
        },
    }
    metadata.pop("managedFields", None)
    if wanted.version:
        metadata["resourceVersion"] = wanted.version
    families = {family(endpoint.address) for endpoint in wanted.endpoints}
    return {
        "apiVersion": API_VERSION,
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": families.pop() if families else wanted.document.get("addressType", "IPv4"),
        "endpoints": [_endpoint(endpoint, namespace) for endpoint in wanted.endpoints],
        "ports": [{"name": PORT_NAME, "port": wanted.port, "protocol": "TCP"}],
    }


def _endpoint(endpoint: Endpoint, namespace: str) -> dict[str, Any]:
    # An absent condition counts as true, so each is written out.
    conditions = {"ready": endpoint.ready, "serving": endpoint.ready, "terminating": False}
    return {
        "addresses": [endpoint.address],
        "conditions": conditions,
        # Patroni's name of a member is the name of its pod.
        "targetRef": {"kind": "Pod", "name": endpoint.member, "namespace": namespace},
    }


def parse(service: str, document: Mapping[str, Any]) -> Slice | Foreign:
    """What a document says; `Foreign` where someone else made it or it cannot be read."""
    metadata = document.get("metadata") or {}
    manager = (metadata.get("labels") or {}).get(MANAGED_BY)
    if manager != MANAGER:
        return Foreign(f"it is managed by {manager or 'nobody we know'}")
    notes = metadata.get("annotations") or {}
    try:
        return Slice(
            service=service,
            holder=notes.get(HOLDER, ""),
            term=int(notes.get(TERM, 0)),
            timeline=int(notes.get(TIMELINE, 0)),
            system_id=notes.get(SYSTEM_ID, ""),
            port=next((port["port"] for port in document.get("ports") or ()), 0),
            endpoints=tuple(_parse_endpoint(item) for item in document.get("endpoints") or ()),
            version=str(metadata.get("resourceVersion", "")),
            document=document,
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return Foreign(f"it cannot be read ({type(error).__name__}: {error})")


def _parse_endpoint(item: Mapping[str, Any]) -> Endpoint:
    ready = (item.get("conditions") or {}).get("ready")
    member = (item.get("targetRef") or {}).get("name", "")
    return Endpoint(member, item["addresses"][0], ready=ready is None or bool(ready))
