"""Activities as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.activities.models import LIMITS, Activity, NewActivity
from gardenos.crm.records import Entity, Include, fields_of
from gardenos.crm.views import service as views

ACTIVITIES: Final = Entity(
    noun="activities",
    singular="activity",
    record=Activity,
    new=NewActivity,
    viewed=views.applied,
    fields=fields_of(Activity, LIMITS),
    search=("subject", "outcome"),
    includes={
        "author": Include("created_by", "members"),
        "lead": Include("lead_id", "leads"),
        "contact": Include("contact_id", "contacts"),
        "company": Include("company_id", "companies"),
        "deal": Include("deal_id", "deals"),
    },
    checks={
        "happened_with_somebody": (
            "contact_id",
            "say with whom: lead_id, contact_id, company_id or deal_id",
        )
    },
    default_sort="-occurred_at",
)
