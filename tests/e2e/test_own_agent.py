"""The agent that docs/agents.md builds, named in `serve_config.yaml` and deployed to a real cluster."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from gardenos.testing.postgres import PostgresServer
from tests.support import own_agent
from tests.support.cluster import ROOT, PlainCluster, plain_cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


@pytest.fixture
def cluster(server: PostgresServer, database_name: str, tmp_path: Path) -> Generator[PlainCluster]:
    own_agent.save(tmp_path)
    with plain_cluster(server, database_name, tmp_path) as cluster:
        yield cluster


def test_an_agent_of_ones_own_needs_one_file_and_its_name(cluster: PlainCluster) -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    config["applications"][0]["args"]["agents"] |= own_agent.arguments()["agents"]
    cluster.deploy(config)
    until(cluster.is_ready, bool, within_s=120)
    with cluster.operator() as client:
        until(
            lambda: client.get("/ai/status").json()["agents"].get("reminder", {}),
            lambda pool: pool.get("replicas") == 1 and pool["max_replicas"] == 2,
            within_s=60,
        )
        method, path, body = own_agent.request()
        headers = {"Content-Type": "application/json"}
        answer = client.request(method, path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        assert answer.json()["result"]["on"] == tomorrow.isoformat()

        notes = [{"agent_type": "reminder", "payload": {"text": f"{n} today"}} for n in range(100)]
        client.post("/ai/tasks", json={"tasks": notes}).raise_for_status()
        until(
            lambda: cluster.query(
                "SELECT state, count(*) AS n FROM agent_tasks WHERE agent_type = 'reminder'"
                " GROUP BY state"
            ),
            lambda rows: rows == [{"state": "succeeded", "n": 101}],
            within_s=60,
        )
        (agent,) = [
            a for a in client.get("/ai/agents").json()["items"] if a["agent_type"] == "reminder"
        ]
        metrics = until(
            lambda: client.get(f"/ai/agents/{agent['id']}/metrics").json(),
            lambda seen: seen["finished"] == 101,
            within_s=30,
        )
        assert metrics["outcomes"] == {"done": 101}
