"""Attachments as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.attachments.models import LIMITS, Attachment, AttachmentChanges
from gardenos.crm.records import Entity, Include, fields_of

ATTACHMENTS: Final = Entity(
    noun="attachments",
    singular="attachment",
    record=Attachment,
    # Announced by a route of its own: the answer says where the bytes go.
    new=None,
    changes=AttachmentChanges,
    fields=fields_of(Attachment, LIMITS),
    search=("name",),
    includes={
        "lead": Include("lead_id", "leads"),
        "contact": Include("contact_id", "contacts"),
        "company": Include("company_id", "companies"),
        "deal": Include("deal_id", "deals"),
        "activity": Include("activity_id", "activities"),
    },
    checks={
        "attached_to_one_record": (
            "lead_id",
            "belongs to one record: lead_id, contact_id, company_id, deal_id or activity_id",
        )
    },
)
