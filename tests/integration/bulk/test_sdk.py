"""The SDK's bulk methods against the whole installation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gardenos.auth.tokens import TokenIssuer
from gardenos.crm.records.bulk.jobs import AGENT_TYPE
from gardenos.sdk import AsyncGardenOS, BulkAnswer, Job
from tests.support.local import eventually, local_installation
from tests.support.serving import served

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.core.config import Settings


def token(settings: Settings, claims: Claims) -> str:
    said = {
        "sub": str(claims.sub),
        "role": "authenticated",
        "agency_id": str(claims.agency_id),
        "user_role": claims.user_role.value,
    }
    return TokenIssuer.of(settings).issue(said, ttl_s=600).token


async def test_a_program_changes_many_records_and_reads_what_became_of_each(
    settings: Settings, owner: Claims
) -> None:
    async with (
        local_installation(settings, present=[AGENT_TYPE]) as app,
        served(app) as url,
        AsyncGardenOS(url, token=token(settings, owner)) as garden,
    ):
        lead = await garden.leads.create(first_name="Ada")
        answer = await garden.leads.bulk(
            [
                {"op": "update", "id": lead, "version": lead.version, "changes": {"city": "Rome"}},
                {"op": "update", "id": lead, "version": lead.version, "changes": {"city": "Oslo"}},
            ]
        )
        assert isinstance(answer, BulkAnswer)
        assert [one.status for one in answer.results] == [200, 412]
        assert answer.results[1].problem is not None
        assert answer.results[1].problem.title == "Precondition failed"
        job = await garden.leads.bulk([{"op": "create", "record": {"city": "Bern"}}] * 1_001)
        assert isinstance(job, Job)
        await eventually(lambda: garden.jobs.get(job), lambda seen: seen.state == "finished")
        found = [one async for one in garden.jobs.results(job)]
        assert [one.index for one in found] == list(range(1_001))
        read = await asyncio.gather(*(garden.leads.get(str(one.id)) for one in found[:3]))
        assert {one.city for one in read} == {"Bern"}
