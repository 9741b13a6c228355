"""Deals as the records engine knows them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from gardenos.crm.custom_fields import service as custom_fields
from gardenos.crm.deals.models import LIMITS, Deal, DealChanges, NewDeal
from gardenos.crm.pipelines import service as pipelines
from gardenos.crm.records import Entity, Include, fields_of
from gardenos.crm.records.entity import Values
from gardenos.crm.views import service as views
from gardenos.db.session import TenantSession


async def _prepare(session: TenantSession, values: Values) -> Values:
    pipeline_id, stage_id = values.get("pipeline_id"), values.get("stage_id")
    if pipeline_id is not None and stage_id is not None:
        return values
    place = await pipelines.place(session, pipeline_id=pipeline_id, stage_id=stage_id)
    return {**values, "pipeline_id": place[0], "stage_id": place[1]}


async def _prepare_change(session: TenantSession, _deal_id: UUID, values: Values) -> Values:
    moves = {"pipeline_id", "stage_id"} & values.keys()
    return await _prepare(session, values) if len(moves) == 1 else values


DEALS: Final = Entity(
    noun="deals",
    singular="deal",
    record=Deal,
    new=NewDeal,
    changes=DealChanges,
    custom=custom_fields.typed,
    tagged_by="deal_id",
    viewed=views.applied,
    fields=fields_of(Deal, LIMITS, name={"match_column": "name_key", "sort_column": "name_key"}),
    search=("name", "external_id"),
    includes={
        "contact": Include("contact_id", "contacts"),
        "company": Include("company_id", "companies"),
        "lead": Include("lead_id", "leads"),
        "owner": Include("owner_id", "members"),
        "pipeline": Include("pipeline_id", "pipelines"),
        "stage": Include("stage_id", "stages"),
    },
    unique={"deals_external_id_key": "external_id"},
    checks={
        "an_amount_has_a_currency": ("currency", "goes with an amount: send both, or null for both")
    },
    prepare=_prepare,
    prepare_change=_prepare_change,
)
