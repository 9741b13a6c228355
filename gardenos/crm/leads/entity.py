"""Leads as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.custom_fields import service as custom_fields
from gardenos.crm.leads.models import LIMITS, Lead, LeadChanges, NewLead
from gardenos.crm.likeness import service as likeness
from gardenos.crm.records import Entity, Include, fields_of
from gardenos.crm.views import service as views

LEADS: Final = Entity(
    noun="leads",
    singular="lead",
    record=Lead,
    new=NewLead,
    changes=LeadChanges,
    custom=custom_fields.typed,
    tagged_by="lead_id",
    viewed=views.applied,
    likeness=likeness.LEADS,
    fields=fields_of(
        Lead,
        LIMITS,
        email={"match_column": "email_key", "sort_column": "email_key"},
        # A lead without a score counts as below 0.
        quality_score={"sort_column": "score_rank", "sort_nullable": False},
    ),
    search=("first_name", "last_name", "email", "phone", "company", "external_id"),
    includes={
        "owner": Include("owner_id", "members"),
        "converted_contact": Include("converted_contact_id", "contacts"),
        "converted_company": Include("converted_company_id", "companies"),
        "converted_deal": Include("converted_deal_id", "deals"),
    },
    unique={"leads_external_id_key": "external_id"},
)
