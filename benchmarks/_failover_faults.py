"""The faults: what is done to the lab, how long it lasts, what is expected of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import psutil

from benchmarks._failover_stage import Stage
from gardenos.lab import faults, watch
from gardenos.lab.cuts import Cuts
from gardenos.lab.layout import ETCDS, number

Inject: TypeAlias = Callable[[Stage, str], None]
"""Given the leader."""
_STOPPED_S = 60.0
"""Three times the ttl: what has not happened by then does not happen."""
_SWITCHOVER_S, _CRASH_S, _NODE_S, _NONE_S = 5.0, 8.0, 25.0, 5.0
_API_AWAY_S = 6.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the matrix."""

    name: str
    what: str
    inject: Inject
    target_s: float | None
    """The longest write gap that is wanted; None where writes are meant to stop."""
    fails_over: bool = True
    """Whether another leader is waited for; else the fault is held for `holds_s`."""
    holds_s: float = 0.0
    """How long the fault lasts at least before it is healed."""
    failsafe: bool = True
    synchronous: bool = True
    brief: bool = False
    api_away: bool = False
    """The slice can only be right once the API server answers again, which `inject` sees to."""
    loses: bool = False
    """A control: acknowledged rows must be seen to be lost, or the detector is broken."""


def _switch_over(stage: Stage, _leader: str) -> None:
    faults.switch_over(stage.lab)


def _kill_postmaster(stage: Stage, leader: str) -> None:
    faults.signal_all(faults.postmaster_of(stage.lab, leader), signal.SIGKILL)


def _kill_patroni(stage: Stage, leader: str) -> None:
    faults.signal_all(faults.patroni_of(stage.lab, leader), signal.SIGKILL)


def _kill_node(stage: Stage, leader: str) -> None:
    faults.signal_all(faults.everyone_of(stage.lab, leader), signal.SIGKILL)


def _stop_patroni(stage: Stage, leader: str) -> None:
    faults.signal_all(faults.patroni_of(stage.lab, leader), signal.SIGSTOP)


def _stop_postgres(stage: Stage, leader: str) -> None:
    for _ in range(2):  # the second time for whoever was being born
        faults.signal_all(faults.postgres_of(stage.lab, leader), signal.SIGSTOP)


def _kill_etcd(count: int) -> Inject:
    def kill(stage: Stage, _leader: str) -> None:
        for name in ETCDS[:count]:
            faults.signal_all(faults.everyone_of(stage.lab, name), signal.SIGKILL)

    return kill


def _isolate(stage: Stage, leader: str) -> None:
    stage.lab.cut(Cuts(isolated=frozenset({leader})))


def _cut_etcd(stage: Stage, leader: str) -> None:
    stage.lab.cut(Cuts(without_etcd=frozenset({leader})))


def _kill_haproxy(stage: Stage, _leader: str) -> None:
    faults.signal_all(faults.everyone_of(stage.lab, "haproxy1"), signal.SIGKILL)


def _pause_sidecar(stage: Stage, leader: str) -> None:
    """A new leader's sidecar is suspended with its write on the way; then that leader dies too.

    The write is let through, and the sidecar after it, once another leader has been published.
    """
    paused, released = threading.Event(), threading.Event()
    publishers: list[str] = []

    def between_read_and_write() -> None:
        writer = watch.leader(watch.members(stage.layout))
        if writer in {None, leader}:  # the old leader withdraws: wait for the new one's write
            stage.api.before_write = between_read_and_write
            return
        publishers.append(str(writer))
        faults.signal_all(_sidecar(stage, str(writer)), signal.SIGSTOP)
        paused.set()
        released.wait(60)

    stage.api.before_write = between_read_and_write
    faults.switch_over(stage.lab)
    if not paused.wait(30):
        raise AssertionError("No sidecar wrote after the switchover.")
    _kill_postmaster(stage, publishers[0])

    _await_another(stage, publishers[0])
    released.set()
    faults.signal_all(_sidecar(stage, publishers[0]), signal.SIGCONT)


def _await_another(stage: Stage, than: str) -> None:
    """Wait until another member leads and is published."""

    def is_published() -> bool:
        led = watch.leader(watch.members(stage.layout))
        return led not in {None, than} and stage.slice_points_to() == led

    stage.lab.await_that(is_published, within_s=90, what="Another leader in the slice")


def _sidecar(stage: Stage, node: str) -> list[psutil.Process]:
    found = stage.lab.process(f"sidecar{number(node)}")
    return [found] if found else []


def _without_api(mode: str) -> Inject:
    def break_both(stage: Stage, leader: str) -> None:
        stage.api.fault("error" if mode == "error" else "hang")
        _kill_postmaster(stage, leader)
        stage.lab.await_that(
            lambda: watch.leader(watch.members(stage.layout)) not in {None, leader},
            within_s=60,
            what="Another leader",
        )
        threading.Event().wait(_API_AWAY_S)  # long enough for a sidecar to back off
        stage.api.fault("ok")

    return break_both


def _pause_brief(stage: Stage, leader: str) -> None:
    """As `_pause_sidecar`: the write of the old leader's script is on its way while it dies."""
    paused, released = threading.Event(), threading.Event()

    def between_read_and_write() -> None:
        paused.set()
        released.wait(120)

    stage.api.before_write = between_read_and_write
    if not paused.wait(30):
        raise AssertionError("The brief's script wrote nothing.")
    _kill_node(stage, leader)
    _await_another(stage, leader)
    released.set()


def _nothing(_stage: Stage, _leader: str) -> None:
    pass


def every() -> dict[str, Fault]:
    """The rows of the matrix by name, controls last."""
    rows = [*_of_nodes(), *_of_etcd(), *_of_ways(), *_controls()]
    return {fault.name: fault for fault in rows}


def _of_nodes() -> list[Fault]:
    return [
        Fault("switchover", "planned switchover", _switch_over, _SWITCHOVER_S),
        Fault("postmaster", "kill -9 of the postmaster", _kill_postmaster, _CRASH_S),
        Fault("patroni", "kill -9 of Patroni", _kill_patroni, _NODE_S),
        Fault("node", "kill -9 of both", _kill_node, _NODE_S),
        Fault("patroni-stopped", "SIGSTOP of Patroni", _stop_patroni, _NODE_S, holds_s=_STOPPED_S),
        Fault("postgres-stopped", "SIGSTOP of PostgreSQL", _stop_postgres, _NODE_S, holds_s=30),
        Fault("isolated", "primary isolated", _isolate, _NODE_S, holds_s=25),
    ]


def _of_etcd() -> list[Fault]:
    one, two = _kill_etcd(1), _kill_etcd(2)
    held = [
        Fault("etcd-1", "1 of 3 etcd", one, _NONE_S, holds_s=12),
        Fault("etcd-2", "2 of 3 etcd", two, _NONE_S, holds_s=30),
        Fault(
            "etcd-1-no-failsafe",
            "1 of 3 etcd, failsafe off",
            one,
            _NONE_S,
            holds_s=12,
            failsafe=False,
        ),
        Fault(
            "etcd-2-no-failsafe",
            "2 of 3 etcd, failsafe off",
            two,
            None,
            holds_s=25,
            failsafe=False,
        ),
        Fault("etcd-cut", "primary cut from etcd", _cut_etcd, _NODE_S, holds_s=30),
    ]
    return [replace(fault, fails_over=False) for fault in held]


def _of_ways() -> list[Fault]:
    return [
        Fault("haproxy", "one HAProxy killed", _kill_haproxy, _NONE_S, fails_over=False, holds_s=8),
        Fault(
            "sidecar-paused",
            "sidecar paused before its write, two failovers",
            _pause_sidecar,
            None,
            holds_s=5,
        ),
        Fault(
            "api-500",
            "API server 500, postmaster killed",
            _without_api("error"),
            _CRASH_S,
            api_away=True,
        ),
        Fault(
            "api-hang",
            "API server hangs, postmaster killed",
            _without_api("hang"),
            _CRASH_S,
            api_away=True,
        ),
    ]


def _controls() -> list[Fault]:
    return [
        Fault("brief-switchover", "brief's script: switchover", _switch_over, None, brief=True),
        Fault("brief-node", "brief's script: kill -9 of both", _kill_node, None, brief=True),
        Fault(
            "brief-paused",
            "brief's script paused before its write, kill -9 of both",
            _pause_brief,
            None,
            holds_s=5,
            brief=True,
        ),
        Fault(
            "async-isolated",
            "primary isolated, asynchronous",
            _isolate,
            None,
            holds_s=25,
            synchronous=False,
            loses=True,
        ),
        Fault(
            "planted-loss", "one row removed by hand", _nothing, None, fails_over=False, loses=True
        ),
    ]
