"""What one cycle saw: Patroni's answer, etcd's leader, the slice; each a closed set of cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gardenos.discovery.slices import Foreign, Slice


@dataclass(frozen=True, slots=True)
class Primary:
    """Patroni holds the leader lock, and its PostgreSQL runs and takes writes."""

    timeline: int
    system_id: str


@dataclass(frozen=True, slots=True)
class Unready:
    """Patroni holds the leader lock, and its PostgreSQL does not take writes, or not yet."""

    why: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Patroni says by a 503 that this member is not the primary."""

    system_id: str = ""
    """Empty where Patroni does not know it."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Patroni gave no answer that means anything."""

    why: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """The Patroni that answers is not the one this sidecar was told of."""

    why: str


@dataclass(frozen=True, slots=True)
class Leader:
    """The leader key in etcd, by a linearizable read."""

    name: str
    term: int
    """The revision that created the key: every later leadership has a higher one."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """There is no leader key."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """etcd was not asked, or did not answer."""

    why: str


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no slice of that name."""


@dataclass(frozen=True, slots=True)
class Unread:
    """The slice was not asked for, or its keeper did not answer."""

    why: str


PatroniSaid: TypeAlias = Primary | Unready | Denied | Silent | Stranger
EtcdSaid: TypeAlias = Leader | Nobody | Unknown
SliceSeen: TypeAlias = Slice | Foreign | Absent | Unread


@dataclass(frozen=True, slots=True)
class Member:
    """The member this sidecar stands beside."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Observation:
    """All that a decision rests on."""

    me: Member
    service: str
    patroni: PatroniSaid
    etcd: EtcdSaid
    slice: SliceSeen
    denials: int = 0
    """503s in a row, this one included."""
    silent_s: float = 0.0
    """How long ago Patroni last gave an answer."""
    ttl_s: float = 20.0
