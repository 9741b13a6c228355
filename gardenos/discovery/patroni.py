"""What the member's own Patroni says, by its REST interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gardenos.discovery.evidence import (
    Denied,
    PatroniSaid,
    Primary,
    Silent,
    Stranger,
    Unready,
)
from gardenos.discovery.slices import Endpoint, family
from gardenos.discovery.wire import Answer, Away, JsonClient

REPLICA_ROLES = frozenset({"replica", "sync_standby", "quorum_standby"})
LAG_BYTES = 16 * 1_048_576
"""How far behind a replica may be and still be read from: what HAProxy's own check allows."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """The members to read from, and why the others are not among them."""

    fit: tuple[Endpoint, ...]
    left_out: tuple[str, ...] = ()


def read_answer(answer: Answer, *, name: str, scope: str) -> PatroniSaid:
    """What an answer to `/primary` says.

    Status and body come from one moment. Neither is enough: the status is 200 from the moment
    Patroni holds the lock, before PostgreSQL is promoted, and the body of a 503 looks like any
    other.
    """
    body = answer.body
    who: Mapping[str, Any] = body.get("patroni") or {}
    if answer.status not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE) or not who:
        return Silent(f"an answer of status {answer.status} that is none of Patroni's")
    if (who.get("name"), who.get("scope")) != (name, scope):
        return Stranger(
            f"This Patroni is {who.get('name')} of {who.get('scope')}, and the sidecar was told "
            f"{name} of {scope}: correct --member, --scope or --patroni-url."
        )
    system_id = str(body.get("database_system_identifier") or "")
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Denied(system_id)
    role, state, timeline = body.get("role"), body.get("state"), body.get("timeline")
    if role != "primary" or state != "running":
        return Unready(f"PostgreSQL is {state}, as {role}")
    if not system_id or not isinstance(timeline, int):
        return Unready("does not know its timeline or system yet")
    return Primary(timeline, system_id)


def read_replicas(cluster: Mapping[str, Any], *, port: int, like: str) -> Replicas:
    """The replicas in an answer to `/cluster` that stream and keep up, in the order of names.

    A slice has one port and one family of addresses: `port`, and that of the address `like`.
    """
    fit: list[Endpoint] = []
    left_out: list[str] = []
    for member in cluster.get("members") or ():
        if member.get("role") not in REPLICA_ROLES:
            continue
        name = str(member.get("name"))
        hindrance = _hindrance(member, port=port, like=like)
        if hindrance is None:
            fit.append(Endpoint(name, member["host"]))
        else:
            left_out.append(f"{name} ({hindrance})")
    fit.sort(key=lambda endpoint: endpoint.member)
    return Replicas(tuple(fit), tuple(sorted(left_out)))


def _hindrance(member: Mapping[str, Any], *, port: int, like: str) -> str | None:
    """Why a replica is not to be read from, if so."""
    lag, host = member.get("lag"), str(member.get("host", ""))
    if (member.get("tags") or {}).get("noloadbalance"):
        return "tagged noloadbalance"
    if member.get("state") != "streaming":
        return f"{member.get('state')}, not streaming"
    if not isinstance(lag, int) or lag > LAG_BYTES:
        return f"{lag} bytes behind"
    if member.get("port") != port:
        return f"on port {member.get('port')}, not {port}"
    return None if _family(host) == family(like) else f"{host or 'nothing'} is no {family(like)}"


def _family(host: str) -> str | None:
    try:
        return family(host)
    except ValueError:
        return None


class Patroni:
    """The REST interface of one member."""

    def __init__(self, client: JsonClient, *, name: str, scope: str) -> None:
        self._client = client
        self._name = name
        self._scope = scope

    def primary(self) -> PatroniSaid:
        """Whether this member is the primary."""
        try:
            answer = self._client.request("GET", "/primary")
        except Away as away:
            return Silent(str(away))
        return read_answer(answer, name=self._name, scope=self._scope)

    def cluster(self) -> Mapping[str, Any] | None:
        """The members of the cluster as Patroni knows them; None where it does not answer."""
        try:
            answer = self._client.request("GET", "/cluster")
        except Away:
            return None
        return answer.body if answer.ok and answer.body.get("members") else None

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()
