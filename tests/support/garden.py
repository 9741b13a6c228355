"""An installation of its own for tests: a home in a temporary folder, ports nobody uses."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from gardenos.cli import cluster, database, preflight, processes
from gardenos.cli.home import Home
from gardenos.core.config import Settings
from gardenos.serve.environment import Ports, haproxy_folder, ray_folder

GARDENOS = Path(sys.executable).with_name("gardenos")


@dataclass(frozen=True)
class Garden:
    """The command line, bound to one home and its own ports."""

    home: Home
    ports: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['GARDENOS_HTTP_PORT']}"

    @property
    def env(self) -> dict[str, str]:
        ours = {n: v for n, v in os.environ.items() if not n.startswith("GARDENOS_")}
        return ours | {
            "COLUMNS": "200",
            # What is measured is how much it can do, not how much it lets one client do.
            "GARDENOS_RATE_LIMIT_AGENCY": "0",
            "GARDENOS_RATE_LIMIT_USER": "0",
            "GARDENOS_HOME": str(self.home.folder),
            **self.ports,
        }

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GARDENOS, *args],
            env=self.env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def ok(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def token(self) -> str:
        """A fresh access token of the operator."""
        return self.ok("token").strip()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"})

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as the superuser sees them, past every policy."""
        admin_dsn = database.plan(self.home, self.home.settings()).admin_dsn
        assert admin_dsn is not None

        async def fetch() -> list[dict[str, Any]]:
            conn = await asyncpg.connect(admin_dsn)
            try:
                return [dict(row) for row in await conn.fetch(sql, *values)]
            finally:
                await conn.close()

        return asyncio.run(fetch())

    def replica_pids(self, deployment: str) -> set[int]:
        """The processes of a deployment's replicas, as Serve knows them."""
        found = cluster.deployments(self.home, self.home.settings()).get(deployment, {})
        return {r["pid"] for r in found.get("replicas", []) if r["state"] == "RUNNING"}

    def nothing_runs(self) -> bool:
        return not processes.marked(self.home.folder) and self.home.postgres.pid() is None

    def kill_everything(self) -> None:
        """What a power cut does to the processes, as far as a test can."""
        everyone = processes.marked(self.home.folder)
        pid = self.home.postgres.pid()
        if pid is not None:
            everyone += processes.family(psutil.Process(pid))
        for process in everyone:
            process.kill()
        psutil.wait_procs(everyone, timeout=20)


def free_ports() -> dict[str, str]:
    """Ports nobody uses, nor those that follow from them."""
    while True:
        spans = (range(9200, 19_000), range(19_000, 24_000), range(24_000, 29_000))
        http, dashboard, ray = (secrets.choice(span) for span in spans)
        settings = Settings(http_port=http, dashboard_port=dashboard, ray_port=ray)
        if all(preflight.holder_of(port) is None for port in Ports.of(settings).all().values()):
            return {
                "GARDENOS_HTTP_PORT": str(http),
                "GARDENOS_DASHBOARD_PORT": str(dashboard),
                "GARDENOS_RAY_PORT": str(ray),
            }


def new_garden() -> Generator[Garden]:
    folder = Path(tempfile.mkdtemp(prefix="gos-e2e-"))
    folder.chmod(0o711)
    garden = Garden(Home(folder / "home of it"), free_ports())
    try:
        yield garden
    finally:
        done = garden.run("down")
        shutil.rmtree(folder, ignore_errors=True)
        for made in (ray_folder(garden.home.folder), haproxy_folder(garden.home.folder)):
            shutil.rmtree(made.parent, ignore_errors=True)
        assert done.returncode == 0, done.stderr
