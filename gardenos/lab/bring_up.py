"""Bringing a lab up, step by step; each step makes sure of one thing, so that asking twice heals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import psutil

from gardenos.db import migrate
from gardenos.db.embedded import DATABASE, ensure_database
from gardenos.lab import cuts, watch
from gardenos.lab.cluster import Lab
from gardenos.lab.cuts import Cuts
from gardenos.lab.errors import LabRefused
from gardenos.lab.layout import ETCDS, NODES, PROXIES, PROXY_NUMBERS, SIDECARS, WIRES, Layout
from gardenos.lab.passwords import Passwords
from gardenos.lab.watch import PRIMARY_SERVICE

Say: TypeAlias = Callable[[str], None]
Step: TypeAlias = Callable[[str], AbstractContextManager[Say]]
"""Shows what is being done; gives what to call to say how it went."""

_ETCD_S, _LEADER_S, _REPLICAS_S, _WAY_S = 30.0, 90.0, 180.0, 60.0


def bring_up(lab: Lab, step: Step) -> list[str]:
    """Start what does not run, mend what is cut, wait until all is well; the parts started now.

    Raises `LabError`; what was started then stays, for its logs and for another try.
    """
    with step("Finding the lab's programs") as say:
        found = lab.programs
        lab.prepare()
        _refuse_taken_ports(lab)
        say(f"The lab's programs are there{f', to run as {found.user}' if found.user else ''}")
    mend(lab)
    started = _start_etcd(lab, step) + _start_nodes(lab, step) + _start_ways(lab, step)
    with step("Making the database and its roles") as say:
        asyncio.run(_make_database(lab))
        say("The database and its roles are there")
    return started


def mend(lab: Lab) -> None:
    """Undo every cut and let go on what was stopped."""
    if lab.cuts != Cuts():
        if lab.process(WIRES):
            lab.cut(Cuts())
        else:
            cuts.order(lab.layout.run, Cuts())
    for process in lab.everyone():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED:
                process.resume()


def _refuse_taken_ports(lab: Lab) -> None:
    taken = lab.taken_ports()
    if taken:
        raise LabRefused(
            f"Ports that the lab needs are taken: {', '.join(taken[:4])}. "
            "Stop what holds them, or give the lab others with `--port`, before it is first started."
        )


def _start(lab: Lab, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if lab.start(name)]


def _start_etcd(lab: Lab, step: Step) -> list[str]:
    with step("Starting the wires and etcd") as say:
        started = _start(lab, (WIRES, *ETCDS))
        lab.cut(lab.cuts)  # obeyed once they are laid
        lab.await_that(
            lambda: all(watch.etcd_health(lab.layout).values()),
            within_s=_ETCD_S,
            what="An etcd that answers",
            parts=(WIRES, *ETCDS),
        )
        say("etcd answers, three members")
    return started


def _start_nodes(lab: Lab, step: Step) -> list[str]:
    def led() -> bool:
        return watch.leader(watch.members(lab.layout)) is not None

    with step("Starting PostgreSQL and Patroni") as say:
        started = _start(lab, NODES)
        lab.await_that(led, within_s=_LEADER_S, what="A leader", parts=NODES)
        say("A leader is there; waiting for its replicas")
        await_health(lab, within_s=_REPLICAS_S)
        say(f"PostgreSQL runs, led by {watch.leader(watch.members(lab.layout))}")
    return started


def await_health(lab: Lab, *, within_s: float) -> None:
    """Wait until there is a leader and the others stream from it without lag. Raises `LabError`."""

    def well() -> bool:
        found = watch.members(lab.layout)
        return watch.all_well(found) and watch.synchronous(found) and _one_primary(lab, found)

    lab.await_that(well, within_s=within_s, what="A leader with two streaming replicas")


def _one_primary(lab: Lab, found: list[watch.Member]) -> bool:
    led = watch.leader(found)
    return led is not None and watch.primary_answers(lab.layout, led)


def _start_ways(lab: Lab, step: Step) -> list[str]:
    with step("Starting HAProxy and the discovery sidecars") as say:
        started = _start(lab, (*PROXIES, *SIDECARS))
        lab.await_that(
            lambda: all(_leads(lab.layout, n) for n in PROXY_NUMBERS),
            within_s=_WAY_S,
            what="A way to the leader through HAProxy",
            parts=PROXIES,
        )
        lab.await_that(
            lambda: _published(lab),
            within_s=_WAY_S,
            what="A published leader",
            parts=SIDECARS,
        )
        say("HAProxy and the discovery sidecars lead to the leader")
    return started


def _leads(layout: Layout, proxy: int) -> bool:
    led = watch.leader(watch.members(layout))
    return (watch.servers(layout, proxy) or {}).get("postgres-primary") == [led]


def _published(lab: Lab) -> bool:
    led = watch.leader(watch.members(lab.layout))
    found = watch.slice_of(lab.layout, PRIMARY_SERVICE, to_api=lab.state.to_api)
    return found is not None and found.holder == led


async def _make_database(lab: Lab) -> None:
    await ensure_database(admin_url(lab.layout, lab.passwords, database="postgres"))
    await migrate.migrate(admin_url(lab.layout, lab.passwords), app_password=lab.passwords.app)


def admin_url(layout: Layout, passwords: Passwords, *, database: str = DATABASE) -> str:
    """The superuser's way to the leader, through whichever HAProxy answers."""
    return _url(layout, "postgres", passwords.superuser, database)


def app_url(layout: Layout, passwords: Passwords) -> str:
    """The application's way to the leader, through whichever HAProxy answers."""
    return _url(layout, "gardenos_app", passwords.app, DATABASE)


def _url(layout: Layout, user: str, password: str, database: str) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@{layout.ways_in}/{database}"


def environment(folder: Path) -> dict[str, str]:
    """What points GardenOS at the lab in `folder`. Raises `LabRefused` where there is none."""
    lab = Lab.at(folder)
    if not lab.exists:
        raise LabRefused("There is no lab here. Make one with `gardenos lab up`.")
    return {
        "GARDENOS_DATABASE_URL": app_url(lab.layout, lab.passwords),
        "GARDENOS_ADMIN_DATABASE_URL": admin_url(lab.layout, lab.passwords),
    }
