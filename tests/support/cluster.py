"""A Ray cluster that somebody started plainly, for `serve deploy`, with an agent that sleeps."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx
import psutil
import yaml

from gardenos.auth import operators
from gardenos.auth.keys import new_signing_key
from gardenos.cli import processes
from gardenos.db.pool import open_database
from gardenos.db.sql import Queries
from gardenos.orchestrator import verify
from gardenos.testing.postgres import PostgresServer
from tests.support.garden import free_ports

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent
SLEEPER = '''
"""An agent that sleeps, and leaves a mark for every task that counts."""

import asyncio

from pydantic import BaseModel

from gardenos.ai.agents import BaseAIAgent


class Nap(BaseModel):
    seconds: float


class SleeperAgent(BaseAIAgent[Nap, Nap]):
    """Sleeps as long as it is told."""

    agent_type = "sleeper"

    async def work(self, request, context):
        await asyncio.sleep(request.seconds)
        return request

    async def persist(self, session, attempts):
        ids = [attempt.task.id for attempt in attempts]
        await session.execute("INSERT INTO marks SELECT unnest($1::uuid[])", ids)
'''
SLEEPERS_CHECKS = Queries(
    "sleeper",
    """
-- name: sleepers_mark_once
-- Every task of the sleeper that has succeeded left one mark, and no other task left any.
SELECT t.id || ' is ' || t.state || ' and left ' || count(m) || ' marks' AS example,
       count(*) OVER () AS total
  FROM agent_tasks t
  LEFT JOIN marks m ON m.task_id = t.id
 WHERE t.agent_type = 'sleeper'
 GROUP BY t.id
HAVING count(m) <> (t.state = 'succeeded')::int
 LIMIT 5
""",
)


@dataclass(frozen=True)
class PlainCluster:
    """A head node as `ray start --head` leaves it, in an environment with GardenOS's settings."""

    env: dict[str, str] = field(repr=False)
    folder: Path
    app_dsn: str = field(repr=False)
    admin_dsn: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['GARDENOS_HTTP_PORT']}"

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.env['GARDENOS_DASHBOARD_PORT']}"

    def ray(self, *args: str) -> None:
        self._run(SCRIPTS / "ray", *args)

    def deploy(self, config: dict[str, Any]) -> None:
        """`serve deploy`, on this test's port and otherwise as the file says."""
        options = config["http_options"] | {"port": int(self.env["GARDENOS_HTTP_PORT"])}
        file = self.folder / "serve_config.yaml"
        file.write_text(yaml.safe_dump(config | {"http_options": options}))
        self._run(SCRIPTS / "serve", "deploy", str(file), "--address", self.dashboard)

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(
            command,
            env=self.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def deployment(self, name: str) -> Mapping[str, Any]:
        """A deployment as Serve tells of it; empty while it does not."""
        try:
            answer = httpx.get(f"{self.dashboard}/api/serve/applications/", timeout=10)
        except httpx.TransportError:
            return {}
        applications = answer.json().get("applications", {}) if answer.is_success else {}
        return applications.get("gardenos", {}).get("deployments", {}).get(name, {})

    def running(self, name: str) -> set[int]:
        """The processes of a deployment's replicas."""
        replicas = self.deployment(name).get("replicas", [])
        return {replica["pid"] for replica in replicas if replica["state"] == "RUNNING"}

    def process(self, title: str) -> psutil.Process:
        """The one process of the cluster that Ray calls so, with what it does at the moment added."""
        (found,) = [
            process
            for process in processes.marked(self.folder)
            if "".join(process.cmdline()[:1]).startswith(title)
        ]
        return found

    def operator(self) -> httpx.Client:
        """A client of the operator, whose account is made by the first call."""
        email, password = "op@example.com", secrets.token_hex()

        async def make() -> None:
            database = await open_database(self.app_dsn, min_size=1, max_size=1, name="test")
            try:
                await operators.ensure_operator(database, email, password)
            finally:
                await database.pool.close()

        asyncio.run(make())
        answer = httpx.post(
            f"{self.url}/auth/v1/token",
            params={"grant_type": "password"},
            json={"email": email, "password": password},
            timeout=30,
        ).raise_for_status()
        token = answer.json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as the superuser sees them, past every policy."""

        async def fetch() -> list[dict[str, Any]]:
            conn = await asyncpg.connect(self.admin_dsn)
            try:
                return [dict(row) for row in await conn.fetch(sql, *values)]
            finally:
                await conn.close()

        return asyncio.run(fetch())

    def verified(self) -> str:
        """What the checker has to say, of the sleeper's marks too."""

        async def check() -> str:
            database = await open_database(self.app_dsn, min_size=1, max_size=1, name="test")
            try:
                return str(await verify.run(database, extra=SLEEPERS_CHECKS))
            finally:
                await database.pool.close()

        return asyncio.run(check())


@contextmanager
def plain_cluster(
    server: PostgresServer, database_name: str, folder: Path
) -> Generator[PlainCluster]:
    """A cluster on this database, whose processes find the sleeper in `folder`."""
    (folder / "gardenos_sleeper.py").write_text(SLEEPER)
    ours = {n: v for n, v in os.environ.items() if not n.startswith(("GARDENOS_", "RAY_"))}
    env = (
        ours
        | free_ports()
        | {
            processes.MARK: str(folder),
            "PYTHONPATH": str(folder),
            "GARDENOS_HOME": str(folder),
            "GARDENOS_DATABASE_URL": server.app(database_name),
            "GARDENOS_CURSOR_SECRET": secrets.token_hex(32),
            "GARDENOS_JWT_SIGNING_KEY": new_signing_key(),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
    )
    made = PlainCluster(env, folder, server.app(database_name), server.admin(database_name))
    made.query(
        "CREATE TABLE marks (task_id uuid NOT NULL)",
    )
    made.query("GRANT INSERT ON marks TO gardenos_agent")
    made.query("GRANT SELECT ON marks TO gardenos_worker")
    try:
        made.ray(
            "start",
            "--head",
            f"--port={env['GARDENOS_RAY_PORT']}",
            f"--dashboard-port={env['GARDENOS_DASHBOARD_PORT']}",
            "--dashboard-agent-listen-port=0",
            # Else from a range that the free port of the dashboard may lie in.
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--num-cpus=4",
        )
        yield made
    finally:
        left = processes.marked(folder)
        assert not processes.end(left, grace_s=10)


class Steady:
    """Does something over and over in a thread, and keeps the answers that were not 2xx."""

    def __init__(self, client: httpx.Client, *, every_s: float = 0.02) -> None:
        self._client = client
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.answered = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def request(self, client: httpx.Client) -> httpx.Response:
        """What is asked each time."""
        raise NotImplementedError

    def _go_on(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                answer = self.request(self._client)
            except httpx.TransportError as error:
                self.failures.append(repr(error))
                continue
            self.answered += 1
            if not answer.is_success:
                self.failures.append(answer.text)


class Visitor(Steady):
    """Somebody who reads leads all the while."""

    def request(self, client: httpx.Client) -> httpx.Response:
        return client.get("/v1/leads", params={"limit": 1})


class Employer(Steady):
    """Somebody who enqueues tasks for the sleeper all the while."""

    PER_REQUEST = 10

    def __init__(self, client: httpx.Client, *, seconds: float, every_s: float) -> None:
        super().__init__(client, every_s=every_s)
        self._tasks = naps(self.PER_REQUEST, seconds)

    def request(self, client: httpx.Client) -> httpx.Response:
        return client.post("/ai/tasks", json={"tasks": self._tasks})


def naps(n: int, seconds: float) -> Sequence[Mapping[str, Any]]:
    """Tasks for the sleeper, as the API takes them."""
    return [{"agent_type": "sleeper", "payload": {"seconds": seconds}}] * n
