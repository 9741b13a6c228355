"""A lab to break: its API server, its settings, its health, and the brief's script in place of ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from benchmarks._failover_load import SQL
from gardenos.db.embedded import ensure_database
from gardenos.lab import faults, watch
from gardenos.lab.bring_up import Step, admin_url, await_health, bring_up, mend
from gardenos.lab.cluster import Lab
from gardenos.lab.layout import NODES, PARTS, SIDECARS, Layout, node_at, number
from gardenos.lab.settings import KUBERNETES_NAMESPACE
from tests.support.kube_api import KubeApi

DATABASE = "failover"
_SCRIPT = Path(__file__).with_name("_failover_brief.sh")
_ENDPOINTS = f"api/v1/namespaces/{KUBERNETES_NAMESPACE}/endpoints/{watch.PRIMARY_SERVICE}"
_WELL_S = 120.0


@dataclass
class Stage:
    """A running lab, whose sidecars publish to an API server that can be made to fail."""

    lab: Lab
    api: KubeApi
    brief: bool = False
    """Whether the brief's script stands in for the sidecars."""
    scripts: list[subprocess.Popen[bytes]] = field(default_factory=list["subprocess.Popen[bytes]"])

    @property
    def layout(self) -> Layout:
        """Where everything is."""
        return self.lab.layout

    @property
    def url(self) -> str:
        """The way to the leader through HAProxy."""
        return admin_url(self.layout, self.lab.passwords, database=DATABASE)

    def straight(self, node: str) -> str:
        """The way to one node past everything."""
        address = self.layout.postgres(number(node))
        return f"postgresql://postgres:{self.lab.passwords.superuser}@{address}/{DATABASE}"

    def leader(self) -> str:
        """Who leads. Raises `LabError` where nobody does."""
        self.lab.await_that(
            lambda: watch.leader(watch.members(self.layout)) is not None,
            within_s=_WELL_S,
            what="A leader",
        )
        return watch.leader(watch.members(self.layout)) or ""

    def repair(self) -> None:
        """Start and mend everything; does not wait until it is well."""
        self.api.fault("ok")
        mend(self.lab)
        for name in PARTS:
            if not (self.brief and name in SIDECARS):
                self.lab.start(name)

    def make_well(self, *, failsafe: bool, synchronous: bool, brief: bool) -> None:
        """Everything runs, follows one leader, and is told what this fault wants."""
        self._take_sides(brief=brief)
        self.repair()
        self.leader()
        mode = "quorum" if synchronous else "off"
        faults.configure(self.lab, {"failsafe_mode": failsafe, "synchronous_mode": mode})
        self.lab.await_that(
            lambda: self._is_well(synchronous=synchronous), within_s=_WELL_S, what="A healthy lab"
        )
        led = self.leader()
        self.lab.await_that(
            lambda: self.slice_points_to() == led, within_s=_WELL_S, what="A slice that is right"
        )
        asyncio.run(self._empty())

    def _is_well(self, *, synchronous: bool) -> bool:
        found = watch.members(self.layout)
        if not watch.all_well(found) or watch.synchronous(found) is not synchronous:
            return False
        wanted = [watch.leader(found)]
        return all(
            (watch.servers(self.layout, n) or {}).get("postgres-primary") == wanted for n in (1, 2)
        )

    def await_rejoin(self, *, synchronous: bool) -> None:
        """Wait until all three follow one leader again."""
        if synchronous:
            await_health(self.lab, within_s=_WELL_S)
        else:
            self.lab.await_that(
                lambda: watch.all_well(watch.members(self.layout)),
                within_s=_WELL_S,
                what="A leader with two replicas",
            )

    async def _empty(self) -> None:
        await ensure_database(
            admin_url(self.layout, self.lab.passwords, database="postgres"), DATABASE
        )
        conn = await asyncpg.connect(self.url, timeout=10)
        try:
            await conn.execute(SQL["make_table"])
            await conn.execute(SQL["empty_table"])
        finally:
            await conn.close()

    def slice_points_to(self) -> str | None:
        """The member that clients of the slice are sent to."""
        if self.brief:
            document = self.api.objects.stored.get(_ENDPOINTS, {})
            subsets = document.get("subsets") or [{}]
            addresses = subsets[0].get("addresses") or []
            return node_at(addresses[0]["ip"]) if addresses else None
        document = self.api.slice(watch.PRIMARY_SERVICE, KUBERNETES_NAMESPACE)
        endpoints = document.get("endpoints", []) if document else []
        ready = [one for one in endpoints if one.get("conditions", {}).get("ready") is not False]
        return node_at(ready[0]["addresses"][0]) if ready else None

    def _take_sides(self, *, brief: bool) -> None:
        """Ours or the brief's: one of them publishes."""
        self._end_scripts()
        self.brief = brief
        if not brief:
            return
        for name in SIDECARS:
            if self.lab.process(name):
                faults.signal_all(faults.everyone_of(self.lab, name), signal.SIGKILL)
        with contextlib.suppress(Exception):
            self.api.objects.create(
                _ENDPOINTS, {"kind": "Endpoints", "apiVersion": "v1", "metadata": _NAMED}
            )
        for node in NODES:
            self.scripts.append(self._script(node))

    def _script(self, node: str) -> subprocess.Popen[bytes]:
        n = number(node)
        env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(self.layout.logs),  # where kubectl keeps what it learnt
            "PATRONI": self.layout.patroni(n).url,
            "SERVER": self.layout.api_way(n).url,
            "NAMESPACE": KUBERNETES_NAMESPACE,
            "POD_IP": self.layout.postgres_door(n).host,
            "PORT": str(self.layout.postgres_door(n).port),
        }
        with (self.layout.logs / f"brief-{node}.log").open("ab") as log:
            return subprocess.Popen(
                ["sh", str(_SCRIPT)], env=env, stdout=log, stderr=log, start_new_session=True
            )

    def _end_scripts(self) -> None:
        for script in self.scripts:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(script.pid, signal.SIGKILL)
            script.wait()
        self.scripts.clear()

    def close(self) -> None:
        """Stop what is not the lab's."""
        self._end_scripts()


_NAMED = {"name": watch.PRIMARY_SERVICE, "namespace": KUBERNETES_NAMESPACE}


@contextlib.contextmanager
def staged(folder: Path, *, base_port: int, step: Step) -> Generator[Stage]:
    """A lab with an API server, up until the block ends; its data stay for the next one."""
    lab = Lab.at(folder, base_port=base_port, to_api=True)
    lab.down()  # sidecars that publish into a folder would be of no use here
    lab = Lab.at(folder, base_port=base_port, to_api=True)
    api = KubeApi(lab.layout.api.port)
    api.start()
    stage = Stage(lab, api)
    try:
        bring_up(lab, step)
        yield stage
    finally:
        stage.close()
        lab.down()
        api.stop()
