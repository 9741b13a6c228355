"""The main job on real data: 9,237 leads through HTTP, queue, agents and database, whoever dies."""

from __future__ import annotations

import csv
import json
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
import psutil
import pytest
from sklearn.metrics import roc_auc_score

from tests.support.garden import Garden
from tests.support.leads import real_leads_file, write_leads
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
MAPPING = Path(__file__).parents[2] / "examples" / "x-education-mapping.json"

_EVERY_LEAD = """
SELECT l.external_id, l.quality_score, l.conversion_probability::float8 AS probability,
       count(s.id) AS scores
  FROM leads l LEFT JOIN lead_scores s ON s.lead_id = l.id
 WHERE l.agency_id = $1
 GROUP BY l.id
"""
_STATES = """
SELECT state, count(*) AS tasks, count(DISTINCT payload ->> 'lead_id') AS leads
  FROM agent_tasks WHERE agency_id = $1 GROUP BY state
"""


class Run:
    """A new agency that takes all the leads in and has them scored."""

    def __init__(self, garden: Garden, file: Path) -> None:
        self.garden = garden
        with file.open(encoding="utf-8-sig", newline="") as opened:
            self.rows = {row["Prospect ID"]: row for row in csv.DictReader(opened)}
        account = httpx.post(
            f"{garden.url}/auth/v1/signup",
            json={"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex()},
        )
        token = account.raise_for_status().json()["access_token"]
        self.client = httpx.Client(
            base_url=garden.url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        self.agency = UUID(self.client.get("/v1/agency").raise_for_status().json()["id"])
        with file.open("rb") as opened:
            answer = self.client.post(
                "/v1/imports",
                files={"file": opened},
                data={"mapping": MAPPING.read_text("utf-8"), "score": "true"},
            )
        self.report: dict[str, Any] = answer.raise_for_status().json()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def scored(self) -> int:
        """Leads scored so far, -1 while nobody can say."""
        try:
            answer = self.client.get("/ai/status")
        except httpx.TransportError:
            return -1
        if not answer.is_success:
            return -1
        return answer.json()["agents"]["lead_analysis"]["tasks"].get("succeeded", 0)

    def get_under_way(self) -> None:
        """Return once some leads are scored and most are not."""
        seen = until(self.scored, lambda n: n >= 100, within_s=60)
        assert seen < len(self.rows) / 2, "too fast to be killed in the middle"

    def end(self) -> list[dict[str, Any]]:
        """Wait for the end; every lead, after checking that each was scored exactly once."""
        until(self.scored, lambda n: n >= len(self.rows), within_s=300)
        leads = self.garden.query(_EVERY_LEAD, self.agency)
        assert {lead["external_id"] for lead in leads} == self.rows.keys()
        assert len(leads) == len(self.rows)
        assert {lead["scores"] for lead in leads} == {1}
        assert all(0 <= lead["quality_score"] <= 100 for lead in leads)
        everyone = len(self.rows)
        assert self.garden.query(_STATES, self.agency) == [
            {"state": "succeeded", "tasks": everyone, "leads": everyone}
        ]
        return leads


@pytest.fixture(scope="module")
def made_up_leads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("leads") / "made-up.csv"
    mapping = json.loads(MAPPING.read_text("utf-8"))
    named = [*mapping["fields"].values(), *mapping["custom"].values()]
    columns = {column if isinstance(column, str) else column["column"] for column in named}
    write_leads(file, mapping_columns=columns)
    return file


def kill(pid: int) -> None:
    """Kill -9, and see it dead."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)


@pytest.mark.real_leads
def test_every_real_lead_is_scored_once_and_the_score_tells_who_converts(
    installation: Garden, real_leads: Path
) -> None:
    with Run(installation, real_leads) as run:
        report = run.report
        assert (report["rows_read"], report["imported"]) == (len(run.rows), len(run.rows))
        assert (report["duplicates"], report["rejected"]) == (0, 0)
        leads = run.end()
    converted = [int(run.rows[lead["external_id"]]["Converted"]) for lead in leads]
    auc = roc_auc_score(converted, [lead["quality_score"] for lead in leads])
    print(f"AUC of the quality score against Converted: {auc:.3f}")
    assert auc >= 0.65


def kill_an_agent(garden: Garden) -> None:
    before = garden.replica_pids("LeadAnalysisAgent")
    kill(min(before))
    until(
        lambda: garden.replica_pids("LeadAnalysisAgent"),
        lambda now: bool(now - before),
        within_s=60,
    )


def kill_the_orchestrator(garden: Garden) -> None:
    [before] = garden.replica_pids("AIOrchestrator")
    kill(before)
    until(
        lambda: garden.replica_pids("AIOrchestrator"),
        lambda now: bool(now) and before not in now,
        within_s=60,
    )


def kill_postgresql(garden: Garden) -> None:
    pid = garden.home.postgres.pid()
    assert pid is not None
    kill(pid)
    assert "started again: PostgreSQL" in garden.ok("up")


@pytest.mark.parametrize("strike", [kill_an_agent, kill_the_orchestrator, kill_postgresql])
def test_a_kill_in_the_middle_loses_and_repeats_nothing(
    installation: Garden, made_up_leads: Path, strike: Callable[[Garden], None]
) -> None:
    real = real_leads_file()
    with Run(installation, real if real.is_file() else made_up_leads) as run:
        run.get_under_way()
        strike(run.garden)
        run.end()
