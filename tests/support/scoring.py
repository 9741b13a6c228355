"""A new agency that takes thousands of leads in and has each scored, through HTTP, until the end."""

from __future__ import annotations

import csv
import json
import secrets
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx

from tests.support.garden import Garden
from tests.support.leads import write_leads
from tests.support.waiting import until

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
        token = sign_up(garden)
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


def sign_up(garden: Garden) -> str:
    """An access token of the owner of a new agency."""
    account = httpx.post(
        f"{garden.url}/auth/v1/signup",
        json={"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex()},
    )
    return account.raise_for_status().json()["access_token"]


def make_leads_up(file: Path) -> None:
    """A CSV of as many leads as the real one has, with the columns that its mapping names."""
    mapping = json.loads(MAPPING.read_text("utf-8"))
    named = [*mapping["fields"].values(), *mapping["custom"].values()]
    columns = {column if isinstance(column, str) else column["column"] for column in named}
    write_leads(file, mapping_columns=columns)
