"""`serve deploy serve_config.yaml` on a Ray cluster that somebody started plainly."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from gardenos.auth.keys import new_signing_key
from gardenos.cli import processes
from gardenos.testing.postgres import PostgresServer
from tests.support.garden import free_ports
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class PlainCluster:
    """A head node as `ray start --head` leaves it, in an environment with GardenOS's settings."""

    env: dict[str, str]
    folder: Path

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


@pytest.fixture
def cluster(server: PostgresServer, database_name: str, tmp_path: Path) -> Generator[PlainCluster]:
    ours = {n: v for n, v in os.environ.items() if not n.startswith(("GARDENOS_", "RAY_"))}
    env = (
        ours
        | free_ports()
        | {
            processes.MARK: str(tmp_path),
            "GARDENOS_HOME": str(tmp_path),
            "GARDENOS_DATABASE_URL": server.app(database_name),
            "GARDENOS_CURSOR_SECRET": secrets.token_hex(32),
            "GARDENOS_JWT_SIGNING_KEY": new_signing_key(),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
    )
    made = PlainCluster(env, tmp_path)
    try:
        made.ray(
            "start",
            "--head",
            f"--port={env['GARDENOS_RAY_PORT']}",
            f"--dashboard-port={env['GARDENOS_DASHBOARD_PORT']}",
            "--dashboard-agent-listen-port=0",
            "--num-cpus=4",
        )
        yield made
    finally:
        left = processes.marked(tmp_path)
        assert not processes.end(left, grace_s=10)


class Visitor:
    """Somebody who reads leads all the while, and counts the answers that were not 200."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._visit)
        self.answered = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _visit(self) -> None:
        while not self._ended.wait(0.02):
            try:
                answer = self._client.get("/v1/leads", params={"limit": 1})
            except httpx.TransportError as error:
                self.failures.append(repr(error))
                continue
            self.answered += 1
            if not answer.is_success:
                self.failures.append(answer.text)


def test_serve_deploy_brings_it_up_and_updates_it_under_load(cluster: PlainCluster) -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    cluster.deploy(config)
    until(cluster.is_ready, bool, within_s=120)
    account = httpx.post(
        f"{cluster.url}/auth/v1/signup",
        json={"email": "ines@example.com", "password": secrets.token_hex()},
    ).raise_for_status()
    headers = {"Authorization": f"Bearer {account.json()['access_token']}"}
    with httpx.Client(base_url=cluster.url, headers=headers, timeout=30) as client:
        lead = {"first_name": "Ines", "email": "ines@example.org", "company": "Ines Bau"}
        answer = client.post("/ai/leads/analyze", json={"lead": lead}).raise_for_status()
        assert 0 <= answer.json()["result"]["quality_score"] <= 100

        with Visitor(client) as visitor:
            agents = config["applications"][0]["args"]["agents"]
            agents["lead_analysis"]["min_replicas"] = 2
            cluster.deploy(config)
            until(
                lambda: client.get("/ai/status").json()["agents"]["lead_analysis"],
                lambda pool: pool["min_replicas"] == 2 and pool["replicas"] == 2,
                within_s=120,
            )
        assert visitor.answered > 50
        assert visitor.failures == []
