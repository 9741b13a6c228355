"""`serve deploy serve_config.yaml` on a Ray cluster that somebody started plainly."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gardenos.testing.postgres import PostgresServer
from tests.support.cluster import ROOT, Employer, PlainCluster, Visitor, naps, plain_cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
UPDATE_GAP_S = 10.0


@pytest.fixture
def cluster(server: PostgresServer, database_name: str, tmp_path: Path) -> Generator[PlainCluster]:
    with plain_cluster(server, database_name, tmp_path) as cluster:
        yield cluster


def shipped_config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))


def test_serve_deploy_brings_it_up_and_updates_it_under_load(cluster: PlainCluster) -> None:
    config = shipped_config()
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


def test_an_update_under_load_loses_no_task_doubles_none_and_goes_on_dispatching(
    cluster: PlainCluster,
) -> None:
    config = shipped_config()
    agents = config["applications"][0]["args"]["agents"]
    agents["sleeper"] = {
        "class": "gardenos_sleeper:SleeperAgent",
        "min_replicas": 2,
        "max_replicas": 3,
        "concurrency": 8,
    }
    cluster.deploy(config)
    until(cluster.is_ready, bool, within_s=120)
    with cluster.operator() as client:
        # Work for longer than the update takes, and more of it coming all the while.
        for _ in range(4):
            client.post("/ai/tasks", json={"tasks": naps(500, 0.2)}).raise_for_status()
        until(lambda: states(client).get("succeeded", 0), bool, within_s=30)
        before = cluster.running("AIOrchestrator"), cluster.running("SleeperAgent")
        with Employer(client, seconds=0.2, every_s=0.2) as employer:
            # Both the orchestrator and the agents are given other arguments, so both are replaced.
            agents["sleeper"]["concurrency"] = 9
            cluster.deploy(config)
            until(
                lambda: (cluster.running("AIOrchestrator"), cluster.running("SleeperAgent")),
                lambda now: (
                    [len(pids) for pids in now] == [1, 2]
                    and not (now[0] & before[0] or now[1] & before[1])
                ),
                within_s=120,
            )
        accepted = 2000 + employer.answered * Employer.PER_REQUEST
        assert employer.failures == []
        until(lambda: states(client), lambda now: now == {"succeeded": accepted}, within_s=120)
    assert "invariants hold" in cluster.verified()
    (gap,) = cluster.query(
        "SELECT max(gap_s)::float8 AS s FROM (SELECT extract(epoch FROM started_at - lag(started_at)"
        " OVER (ORDER BY started_at)) AS gap_s FROM agent_tasks WHERE agent_type = 'sleeper') gaps"
    )
    print(f"dispatch paused for {gap['s']:.2f} s while {accepted} tasks were accepted")
    assert gap["s"] <= UPDATE_GAP_S


def states(client: httpx.Client) -> dict[str, int]:
    answer = client.get("/ai/status").raise_for_status()
    return answer.json()["agents"]["sleeper"]["tasks"]
