"""What to do about the slices: pure decisions over what one cycle saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from gardenos.discovery.evidence import (
    Absent,
    Denied,
    Leader,
    Member,
    Nobody,
    Observation,
    Primary,
    Silent,
    SliceSeen,
    Stranger,
    Unknown,
    Unread,
    Unready,
)
from gardenos.discovery.slices import Endpoint, Foreign, Slice

DENIALS = 2
"""One 503 may be a moment of Patroni's; the second, a tick later, is its state."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Write this slice: it says that we lead."""

    wanted: Slice
    why: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Write this slice: it is ours, and takes nobody any more."""

    wanted: Slice
    why: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave what is published as it is."""

    why: str
    leads: bool = False
    """Whether that is because we lead and it says so."""
    soon: bool = False
    """Whether it is about to change: look again at once."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Leave what is published as it is, and tell a person."""

    why: str


Action: TypeAlias = Publish | Withdraw | Keep | Refuse


def decide(seen: Observation) -> Action:  # noqa: PLR0911 a row of the table each
    """What to do about the slice of the primary."""
    match seen.patroni:
        case Primary() as primary:
            return _lead(seen, primary)
        case Unready(why):
            # Patroni speaks and holds the lock. Overload answers like this too (state
            # "unknown"), and to withdraw then would make an outage of it.
            return Keep(f"{seen.me.name} holds the leader lock, but {why}", soon=True)
        case Denied(system_id):
            if seen.denials < DENIALS:
                return Keep(f"Patroni says that {seen.me.name} is not the primary")
            return _step_down(seen, f"{seen.me.name} is not the primary", system_id)
        case Silent(why):
            if seen.silent_s <= seen.ttl_s:
                return Keep(f"Patroni is silent: {why}")
            return _step_down(seen, f"Patroni is silent for more than {seen.ttl_s:g} s: {why}")
        case Stranger(why):
            return Refuse(why)
        case _ as never:
            assert_never(never)


def _lead(seen: Observation, primary: Primary) -> Action:
    match seen.etcd:
        case Leader(name, term) if name == seen.me.name:
            mine = Endpoint(seen.me.name, seen.me.address)
            return _claim(_wanted(seen.service, seen.me, term, primary, (mine,)), seen.slice)
        case Leader(name, _):
            why = f"etcd says that {name} leads and not {seen.me.name}"
            return _step_down(seen, why, primary.system_id)
        case Nobody():
            # After an outage of etcd under failsafe mode the primary goes on and takes the
            # lock again: nothing has changed for those who write to it.
            return Keep("there is no leader key in etcd", soon=True)
        case Unknown(why):
            return Keep(f"etcd does not say who leads: {why}")
        case _ as never:
            assert_never(never)


def _step_down(  # noqa: PLR0911 a row of the table each
    seen: Observation, why: str, system_id: str = ""
) -> Action:
    match seen.slice:
        case Slice(holder=seen.me.name) as ours:
            if system_id and ours.system_id != system_id:
                return _another_system(ours, system_id)
            if not any(endpoint.ready for endpoint in ours.endpoints):
                return Keep(f"{why}; its slice is withdrawn")
            closed = tuple(replace(endpoint, ready=False) for endpoint in ours.endpoints)
            return Withdraw(replace(ours, endpoints=closed), why)
        case Slice(holder=holder):
            return Keep(f"{why}; the slice is {f'held by {holder}' if holder else 'vacant'}")
        case Absent():
            return Keep(f"{why}; nothing is published")
        case Foreign():
            return Keep(f"{why}; {seen.service} is not ours")
        case Unread(reason):
            return Keep(f"{why}; {reason}")
        case _ as never:
            assert_never(never)


def decide_replicas(
    service: str,
    *,
    me: Member,
    term: int,
    primary: Primary,
    seen: SliceSeen,
    replicas: Sequence[Endpoint],
) -> Action:
    """What the leader does about the slice of the replicas, given those fit to be read from."""
    return _claim(_wanted(service, me, term, primary, tuple(replicas)), seen)


def _wanted(
    service: str, me: Member, term: int, primary: Primary, endpoints: tuple[Endpoint, ...]
) -> Slice:
    return Slice(service, me.name, term, primary.timeline, primary.system_id, me.port, endpoints)


def _claim(wanted: Slice, seen: SliceSeen) -> Action:
    """Have a slice say what is wanted, if its holder may write it under its term."""
    whom = ", ".join(f"{e.member} at {e.address}:{wanted.port}" for e in wanted.endpoints)
    under = f"{whom or 'no member'} under term {wanted.term}, timeline {wanted.timeline}"
    match seen:
        case Absent():
            return Publish(wanted, f"{under}, for the first time")
        case Slice() as now:
            hindrance = _hindrance(now, wanted)
            if hindrance is not None:
                return hindrance
            if now == wanted:
                return Keep(f"{wanted.service} says {under}", leads=True)
            after = f", after {now.holder} under term {now.term}" if now.holder else ""
            written = replace(wanted, version=now.version, document=now.document)
            return Publish(written, f"{under}{after}")
        case Foreign(why):
            return Refuse(
                f"There is a slice {wanted.service} that is not ours: {why}. Delete it, or give the "
                "service another name."
            )
        case Unread(why):
            return Keep(f"{wanted.holder} leads under term {wanted.term}; {why}")
        case _ as never:
            assert_never(never)


def _hindrance(now: Slice, wanted: Slice) -> Refuse | None:
    """Why the slice must not be overwritten, if so."""
    if not now.holder:
        return None
    if now.system_id != wanted.system_id:
        return _another_system(now, wanted.system_id)
    ours = now.holder == wanted.holder
    if now.term < wanted.term or (ours and now.term == wanted.term):
        return None
    return Refuse(
        f"{now.service} is held by {now.holder} under term {now.term}, and {wanted.holder} leads "
        f"under {wanted.term} only. If etcd was restored or replaced, delete the slice."
    )


def _another_system(now: Slice, system_id: str) -> Refuse:
    return Refuse(
        f"{now.service} belongs to the database system {now.system_id}, and this member to "
        f"{system_id}. If the old cluster is gone for good, delete the slice."
    )
