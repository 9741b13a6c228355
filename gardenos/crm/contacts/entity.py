"""Contacts as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.contacts.models import LIMITS, Contact, ContactChanges, NewContact
from gardenos.crm.custom_fields import service as custom_fields
from gardenos.crm.likeness import service as likeness
from gardenos.crm.records import Entity, Include, fields_of
from gardenos.crm.views import service as views

CONTACTS: Final = Entity(
    noun="contacts",
    singular="contact",
    record=Contact,
    new=NewContact,
    changes=ContactChanges,
    custom=custom_fields.typed,
    tagged_by="contact_id",
    viewed=views.applied,
    likeness=likeness.CONTACTS,
    fields=fields_of(
        Contact,
        LIMITS,
        email={"match_column": "email_key", "sort_column": "email_key"},
        last_name={"match_column": "last_name_key", "sort_column": "last_name_key"},
    ),
    search=("first_name", "last_name", "email", "phone", "mobile", "external_id"),
    includes={
        "company": Include("company_id", "companies"),
        "owner": Include("owner_id", "members"),
    },
    unique={"contacts_external_id_key": "external_id"},
    checks={
        "contacts_named": (
            "last_name",
            "nobody could find it: give a name, an e-mail address, a number or an external_id",
        )
    },
)
