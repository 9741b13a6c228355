"""How many agents run: by the work, by an operator's word, and through whatever restarts."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gardenos.testing.postgres import PostgresServer
from tests.support.cluster import ROOT, PlainCluster, naps, plain_cluster
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
SCALE_UP_S = 15.0
ACTORS_START_S = 60.0
DOWN_AFTER_S = 5.0


@pytest.fixture
def cluster(server: PostgresServer, database_name: str, tmp_path: Path) -> Generator[PlainCluster]:
    with plain_cluster(server, database_name, tmp_path) as cluster:
        yield cluster


class Pool:
    """The sleepers of a cluster, as an operator sees them and as Serve does."""

    def __init__(self, cluster: PlainCluster, client: httpx.Client) -> None:
        self._cluster, self._client = cluster, client

    def wanted(self) -> int | None:
        return self._cluster.deployment("SleeperAgent").get("target_num_replicas")

    def running(self) -> int:
        return len(self._cluster.running("SleeperAgent"))

    def becomes(self, n: int, *, within_s: float = ACTORS_START_S) -> None:
        until(lambda: (self.wanted(), self.running()), lambda now: now == (n, n), within_s=within_s)

    def figures(self) -> dict[str, Any]:
        """What the orchestrator says of it; empty while that does not answer."""
        answer = self._client.get("/ai/status")
        return answer.json()["agents"].get("sleeper", {}) if answer.is_success else {}

    def scale(self, replicas: int, **more: Any) -> httpx.Response:
        return self._client.post("/ai/agents/sleeper/scale", json={"replicas": replicas, **more})


def test_agents_come_and_go_with_the_work_and_at_an_operators_word(cluster: PlainCluster) -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text("utf-8"))
    agents = config["applications"][0]["args"]["agents"]
    agents["sleeper"] = {
        "class": "gardenos_sleeper:SleeperAgent",
        "min_replicas": 1,
        "max_replicas": 5,
        "concurrency": 8,
        "target_tasks": 50,
        "up_after_s": 1,
        "down_after_s": DOWN_AFTER_S,
    }
    cluster.deploy(config)
    until(cluster.is_ready, bool, within_s=120)
    with cluster.operator() as client:
        pool = Pool(cluster, client)
        by_the_work(pool, client)
        by_word(pool)
        through_restarts(pool, cluster, config)
        until_it_expires(pool)
    assert "invariants hold" in cluster.verified()


def by_the_work(pool: Pool, client: httpx.Client) -> None:
    began = time.monotonic()
    for _ in range(4):
        client.post("/ai/tasks", json={"tasks": naps(500, 0.25)}).raise_for_status()
    until(pool.wanted, lambda n: n == 5, within_s=SCALE_UP_S)
    asked_s = time.monotonic() - began
    pool.becomes(5)
    print(
        f"1 to 5 agents: asked for after {asked_s:.1f} s, all at work after "
        f"{time.monotonic() - began:.1f} s"
    )
    until(lambda: pool.figures()["tasks"], lambda seen: seen == {"succeeded": 2000}, within_s=120)
    idle_from = time.monotonic()
    until(pool.wanted, lambda n: n == 1, within_s=DOWN_AFTER_S + 15)
    assert time.monotonic() - idle_from > DOWN_AFTER_S - 3
    pool.becomes(1)


def by_word(pool: Pool) -> None:
    for outside in (0, 6, 11, -1):
        refused = pool.scale(outside)
        assert refused.status_code == 400, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
    assert pool.figures()["override"] is None
    pool.scale(3).raise_for_status()
    pool.becomes(3)


def through_restarts(pool: Pool, cluster: PlainCluster, config: dict[str, Any]) -> None:
    def still_three() -> None:
        until(lambda: pool.figures().get("override"), lambda n: n == 3, within_s=60)
        pool.becomes(3)

    (orchestrator,) = cluster.running("AIOrchestrator")
    cluster.process("ray::ServeReplica:gardenos:AIOrchestrator").kill()
    until(
        lambda: cluster.running("AIOrchestrator"),
        lambda pids: len(pids) == 1 and orchestrator not in pids,
        within_s=60,
    )
    still_three()

    controller = cluster.process("ray::ServeController")
    controller.kill()
    until(lambda: pool.wanted() is not None and not controller.is_running(), bool, within_s=60)
    still_three()

    config["applications"][0]["args"]["agents"]["sleeper"]["concurrency"] = 9
    before = cluster.running("SleeperAgent")
    cluster.deploy(config)
    until(
        lambda: cluster.running("SleeperAgent"),
        lambda pids: len(pids) == 3 and not pids & before,
        within_s=120,
    )
    still_three()


def until_it_expires(pool: Pool) -> None:
    answer = pool.scale(2, ttl_s=5).raise_for_status()
    assert answer.json()["expires_at"] is not None
    until(pool.wanted, lambda n: n == 2, within_s=15)
    until(pool.wanted, lambda n: n == 1, within_s=30)
    assert pool.figures()["override"] is None
