"""Ours: the real orchestrator and real Serve replicas of an agent that does the common work."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import asyncpg
import psutil
import yaml
from pydantic import BaseModel, ConfigDict

from benchmarks._tasks_system import Agency, Kind, Setting, Tuning
from benchmarks._tasks_work import Work, work
from gardenos.ai.agents import BaseAIAgent, Context
from gardenos.auth.keys import new_signing_key
from gardenos.cli import cluster, processes
from gardenos.cli.home import Home
from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.db import migrate
from gardenos.db.pool import open_database
from gardenos.db.session import TenantSession
from gardenos.orchestrator import store
from gardenos.orchestrator.task import HIGHEST_PRIORITY, LOWEST_PRIORITY, Attempt, NewTask
from gardenos.serve.environment import (
    haproxy_folder,
    prepare_folders,
    ray_environment,
    ray_folder,
    ray_start_command,
)
from gardenos.testing.postgres import make_member
from tests.support.garden import GARDENOS, free_ports
from tests.support.waiting import until


class WorkInput(BaseModel):
    """A task's payload."""

    model_config = ConfigDict(extra="forbid")

    sleep_s: float
    starts: str
    ends: str


class Nothing(BaseModel):
    """A task's result."""


class WorkAgent(BaseAIAgent[WorkInput, Nothing]):
    """Does the common work. It has no effect to store beyond its task's end."""

    async def work(self, request: WorkInput, context: Context) -> Nothing:  # noqa: ARG002
        """Do it."""
        await work(request.sleep_s, request.starts, request.ends)
        return Nothing()

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Nothing to store."""


class NoopAgent(WorkAgent):
    """Takes many at a time."""

    agent_type: ClassVar[str] = f"bench_{Kind.NOOP}"


class NapAgent(WorkAgent):
    """Takes as many as a peer's workers for the same tasks."""

    agent_type: ClassVar[str] = f"bench_{Kind.NAP}"


_AGENTS = {Kind.NOOP: NoopAgent, Kind.NAP: NapAgent}


class GardenOS:
    """See `System`."""

    name = "GardenOS"
    recovery = "the orchestrator's call fails; else the lease of 30 s ends"

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.home = Home(setting.folder / "home")
        self._ports = free_ports()

    async def prepare(self) -> None:
        password = secrets.token_hex(16)
        await migrate.migrate(self._setting.admin_dsn, app_password=password)
        self._app_dsn = self._setting.app_dsn.replace("PASSWORD", password)
        self._conn: asyncpg.Connection[Any] = await asyncpg.connect(self._setting.admin_dsn)
        self._members: dict[Agency, Claims] = {
            agency: await make_member(self._conn) for agency in Agency
        }
        self._database = await open_database(self._app_dsn, min_size=1, name="bench-tasks")

    async def close(self) -> None:
        await self._database.pool.close()
        await self._conn.close()

    async def clear(self) -> None:
        await self._conn.execute("TRUNCATE agent_tasks CASCADE")

    async def enqueue(
        self, works: Sequence[Work], *, kind: Kind, urgent: bool = False, agency: Agency = Agency.A
    ) -> None:
        priority = HIGHEST_PRIORITY if urgent else LOWEST_PRIORITY
        tasks = [
            NewTask(_AGENTS[kind].agent_type, each.payload(), priority=priority) for each in works
        ]
        async with self._database.session(self._members[agency]) as session:
            await store.enqueue(session, tasks)

    @asynccontextmanager
    async def working(self, tunings: dict[Kind, Tuning]) -> AsyncGenerator[None]:
        self._tunings = tunings
        try:
            await asyncio.to_thread(self._bring_up)
            yield
        finally:
            await asyncio.to_thread(self._take_down)

    async def kill_and_restart(self) -> None:
        """Agents and the orchestrator: Serve starts them again."""
        names = ["AIOrchestrator", *(kind.__name__ for kind in _AGENTS.values())]
        for pid in await asyncio.to_thread(self._pids, names):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def busy(self) -> bool:
        return await self._conn.fetchval(
            "SELECT EXISTS (SELECT FROM agent_tasks WHERE state = 'running') "
            "OR EXISTS (SELECT FROM agent_tasks WHERE state = 'queued')"
        )

    async def completed(self) -> int:
        return await self._conn.fetchval(
            "SELECT count(*) FROM agent_tasks WHERE state = 'succeeded'"
        )

    async def completed_twice(self) -> int:
        # A task is its own record of its end, written once under its fence.
        return 0

    # -- the cluster -----------------------------------------------------------------------

    def _settings(self) -> Settings:
        ports = {n.removeprefix("GARDENOS_").lower(): int(p) for n, p in self._ports.items()}
        return self.home.settings().model_copy(update=ports)

    def _environment(self, settings: Settings) -> dict[str, str]:
        return {
            **self._setting.environment(),
            **self._ports,
            **ray_environment(settings, self.home.folder),
            processes.MARK: processes.mark_of(self.home.folder),
            "GARDENOS_DATABASE_URL": self._app_dsn,
            "GARDENOS_CURSOR_SECRET": secrets.token_hex(32),
            "GARDENOS_JWT_SIGNING_KEY": new_signing_key(),
        }

    def _bring_up(self) -> None:
        """Ray and Serve by their own commands, with the two agents and nothing else to do."""
        settings = self._settings()
        self.home.make()
        prepare_folders(self.home.folder)
        env = self._environment(settings)
        with self.home.ray_log.open("ab") as log:
            subprocess.Popen(  # ended by its mark
                ray_start_command(settings), env=env, stdout=log, stderr=log, start_new_session=True
            )
        with cluster.client(self.home, settings) as dashboard:
            until(lambda: _answers(dashboard), bool, within_s=90)
        file = self.home.run / "serve_config.yaml"
        file.write_text(yaml.safe_dump(self._config(settings)))
        deploy = [GARDENOS.with_name("serve"), "deploy", str(file)]
        subprocess.run(
            [*deploy, "--address", env["RAY_DASHBOARD_ADDRESS"]],
            env=env,
            cwd=cluster.ROOT,
            check=True,
            capture_output=True,
        )
        names = [kind.__name__ for kind in _AGENTS.values()]
        wanted = sum(tuning.processes for tuning in self._tunings.values())
        until(lambda: len(self._pids(names)), lambda n: n == wanted, within_s=120)
        until(lambda: self._pids(["AIOrchestrator"]), bool, within_s=60)

    def _take_down(self) -> None:
        cluster.end(self.home)
        for made in (ray_folder(self.home.folder), haproxy_folder(self.home.folder)):
            shutil.rmtree(made.parent, ignore_errors=True)

    def _config(self, settings: Settings) -> dict[str, Any]:
        config = cluster.config(settings)
        agents = config["applications"][0]["args"]["agents"]
        for kind, tuning in self._tunings.items():
            agents[_AGENTS[kind].agent_type] = {
                "class": f"{__name__}:{_AGENTS[kind].__name__}",
                "min_replicas": tuning.processes,
                "max_replicas": tuning.processes,
                "concurrency": tuning.each,
            }
        return config

    def _pids(self, deployments: Sequence[str]) -> list[int]:
        found = cluster.deployments(self.home, self._settings())
        return [
            replica["pid"]
            for name in deployments
            for replica in found.get(name, {}).get("replicas", [])
            if replica["state"] == "RUNNING" and psutil.pid_exists(replica["pid"])
        ]


def _answers(dashboard: Any) -> bool:
    try:
        return dashboard.get("/api/serve/applications/").is_success
    except OSError:
        return False
    except Exception as error:
        if "httpx" in type(error).__module__:
            return False
        raise
