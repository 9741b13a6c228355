"""Ways to break a lab. `bring_up` undoes them all."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable
from enum import StrEnum

import httpx
import psutil

from gardenos.lab import state, watch
from gardenos.lab.cluster import Lab
from gardenos.lab.cuts import Cuts
from gardenos.lab.errors import LabError
from gardenos.lab.layout import NODES, PARTS, number

_SWITCHOVER_S = 60.0


class How(StrEnum):
    """What may be done to a part."""

    KILL9 = "kill9"
    """Kill it: of a node Patroni and PostgreSQL both."""
    STOP = "stop"
    """Suspend it (SIGSTOP): of a node both."""
    POSTGRES = "postgres"
    """Kill a node's postmaster."""
    PATRONI = "patroni"
    """Kill a node's Patroni."""
    PARTITION = "partition"
    """Cut a node off from everybody else."""


def break_part(lab: Lab, name: str, how: How) -> None:
    """Do that to the part. Raises `LabError` where it cannot be done to it."""
    if name not in PARTS:
        raise LabError(f"The lab has no {name}. It has {', '.join(PARTS)}.")
    if how in {How.POSTGRES, How.PATRONI, How.PARTITION} and name not in NODES:
        raise LabError(f"{name} is no PostgreSQL: `--how {how}` is for {', '.join(NODES)}.")
    match how:
        case How.KILL9:
            signal_all(everyone_of(lab, name), signal.SIGKILL)
        case How.STOP:
            stop(lab, name)
        case How.POSTGRES:
            signal_all(postmaster_of(lab, name), signal.SIGKILL)
        case How.PATRONI:
            signal_all(patroni_of(lab, name), signal.SIGKILL)
        case How.PARTITION:
            isolate(lab, name)


def everyone_of(lab: Lab, name: str) -> list[psutil.Process]:
    """Every process of a part but its sidecar; the first is the one that starts others."""
    first = lab.process(name)
    rest = [one for one in state.workers_in(lab.layout.part(name)) if one != first]
    found = [first, *rest] if first else rest
    if not found:
        raise LabError(f"{name} does not run. `gardenos lab up` starts it.")
    return found


def patroni_of(lab: Lab, node: str) -> list[psutil.Process]:
    """A node's Patroni, without the PostgreSQL that it started."""
    found = lab.process(node)
    if found is None:
        raise LabError(f"Patroni of {node} does not run. `gardenos lab up` starts it.")
    data = state.workers_in(lab.layout.data(node))
    return [one for one in everyone_of(lab, node) if one not in data]


def postmaster_of(lab: Lab, node: str) -> list[psutil.Process]:
    """A node's postmaster, whose death ends its children."""
    found = lab.postmaster(node)
    if found is None:
        raise LabError(f"PostgreSQL of {node} does not run. `gardenos lab up` starts it.")
    return [found]


def postgres_of(lab: Lab, node: str) -> list[psutil.Process]:
    """A node's PostgreSQL: the postmaster first, then its children."""
    first = postmaster_of(lab, node)
    return first + [one for one in state.workers_in(lab.layout.data(node)) if one not in first]


def stop(lab: Lab, name: str) -> None:
    """Suspend a part with all its processes."""
    signal_all(everyone_of(lab, name), signal.SIGSTOP)
    # Whoever was just being born when the first list was made.
    signal_all(everyone_of(lab, name), signal.SIGSTOP)


def isolate(lab: Lab, node: str) -> None:
    """Cut a node off from everybody, besides what is cut already."""
    before = lab.cuts
    lab.cut(Cuts(isolated=before.isolated | {node}, without_etcd=before.without_etcd))


def signal_all(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each that still lives."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def switch_over(lab: Lab, *, to: str | None = None) -> str:
    """Have another member lead; its name. Raises `LabError` where Patroni refuses."""
    led = watch.leader(watch.members(lab.layout))
    if led is None:
        raise LabError("The lab has no leader to take over from. `gardenos lab status` says more.")
    asked = {"leader": led} | ({"candidate": to} if to else {})
    answer = _ask_patroni(lab, led, "POST", "switchover", asked)
    if not answer.is_success:
        raise LabError(f"Patroni of {led} refused the switchover: {answer.text.strip()}")
    lab.await_that(
        lambda: watch.leader(watch.members(lab.layout)) not in {None, led},
        within_s=_SWITCHOVER_S,
        what="The switchover",
    )
    return watch.leader(watch.members(lab.layout)) or ""


def configure(lab: Lab, changes: dict[str, object]) -> None:
    """Change Patroni's dynamic settings for the whole cluster, as `patronictl edit-config` does."""
    led = watch.leader(watch.members(lab.layout)) or NODES[0]
    answer = _ask_patroni(lab, led, "PATCH", "config", changes)
    if not answer.is_success:
        raise LabError(f"Patroni of {led} refused the settings: {answer.text.strip()}")


def _ask_patroni(
    lab: Lab, node: str, method: str, path: str, body: dict[str, object] | dict[str, str]
) -> httpx.Response:
    url = f"{lab.layout.patroni(number(node)).url}/{path}"
    login = ("patroni", lab.passwords.patroni)
    try:
        return httpx.request(method, url, json=body, auth=login, timeout=_SWITCHOVER_S)
    except httpx.HTTPError as error:
        raise LabError(f"Patroni of {node} does not answer: {error}") from error
