"""`/v1/contacts`."""

from __future__ import annotations

from gardenos.crm.contacts.entity import CONTACTS
from gardenos.crm.records import routes

router = routes.router(CONTACTS)
