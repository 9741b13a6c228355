"""Every SQL block fits the schema as the app's roles see it, and the model that it feeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gardenos
from gardenos.auth.invitations import Membership, OpenInvitation
from gardenos.crm.agencies.members.models import Invitation, Member
from gardenos.crm.agencies.models import Agency
from gardenos.crm.agencies.permissions.models import Mask, Permission
from gardenos.crm.agencies.teams.models import Team
from gardenos.crm.audit.models import Entry
from gardenos.crm.deals.models import BoardStage, DealStage
from gardenos.crm.leads.models import FollowUp, LeadScore
from gardenos.crm.pipelines.models import Stage
from gardenos.crm.privacy.models import Record
from gardenos.db import sql
from gardenos.orchestrator.store import TaskView

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gardenos.testing.postgres import AdminConnection

ROOT = Path(gardenos.__file__).parent
PACKAGES = [
    ".".join((gardenos.__name__, *file.parent.relative_to(ROOT).parts))
    for file in sorted(ROOT.rglob("queries.sql"))
]
FEEDS: dict[str, dict[str, type[BaseModel]]] = {
    "gardenos.crm.agencies": {"get_agency": Agency, "change_agency": Agency},
    "gardenos.auth": {"find_invitation": OpenInvitation, "list_memberships": Membership},
    "gardenos.crm.agencies.members": {
        **dict.fromkeys(("list_members", "get_member"), Member),
        **dict.fromkeys(("list_invitations", "create_invitation"), Invitation),
    },
    "gardenos.crm.agencies.teams": dict.fromkeys(("list_teams", "get_team"), Team),
    "gardenos.crm.agencies.permissions": {"list_matrix": Permission, "list_masks": Mask},
    "gardenos.crm.audit": {"list_entries": Entry},
    "gardenos.crm.deals": {"list_deal_stages": DealStage, "read_board": BoardStage},
    "gardenos.crm.leads": {
        "list_scores": LeadScore,
        "list_follow_ups": FollowUp,
    },
    "gardenos.crm.pipelines": {"list_stages": Stage},
    "gardenos.crm.privacy": {"find_records": Record},
    "gardenos.orchestrator": dict.fromkeys(("enqueue_batch", "find_by_keys"), TaskView),
    "gardenos.orchestrator.control": dict.fromkeys(("get_task", "list_tasks"), TaskView),
}
FED = [
    pytest.param(package, block, model, id=f"{package}.{block}")
    for package, blocks in FEEDS.items()
    for block, model in blocks.items()
]


def test_the_packages_are_found() -> None:
    assert {"gardenos.web", "gardenos.crm.leads", "gardenos.orchestrator"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
async def test_every_block_fits_the_schema(admin: AdminConnection, package: str) -> None:
    for text in sql.load(package).values():
        await admin.prepare(text)


@pytest.mark.parametrize(("package", "block", "model"), FED)
async def test_a_blocks_columns_are_its_models_fields(
    admin: AdminConnection, package: str, block: str, model: type[BaseModel]
) -> None:
    statement = await admin.prepare(sql.load(package)[block])
    columns = [attribute.name for attribute in statement.get_attributes()]
    assert sorted(columns) == sorted(model.model_fields)
