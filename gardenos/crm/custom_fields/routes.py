"""`/v1/custom-fields`."""

from __future__ import annotations

from gardenos.crm.custom_fields.entity import CUSTOM_FIELDS
from gardenos.crm.records import routes

router = routes.router(CUSTOM_FIELDS)
